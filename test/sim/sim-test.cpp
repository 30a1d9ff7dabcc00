// SPDX-License-Identifier: Apache-2.0
// Runs PTX files on the simulator and compares buffers bit by bit; see README.md beside this file for their format.
#include "runtime/sim/Parser.h"
#include "runtime/sim/Scalar.h"
#include "runtime/sim/Simulator.h"
#include "runtime/sim/TensorMap.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <set>
#include <sstream>

using namespace attn;
using namespace attn::sim;

namespace {

struct Element {
  uint64_t bits = 0;
  uint64_t tolerance = 0;
  bool poison = false, any = false;
};

struct Buffer {
  std::string name;
  unsigned bytes = 4; // of an element
  bool scalar = false, hasInput = false, hasOutput = false;
  std::vector<Element> input, output;
  uint64_t address = 0;
  bool isMap = false; // a tensor map of the buffer `of`
  std::string of = {};
  TensorMap map = {};
  size_t count() const { return std::max(input.size(), output.size()); }
};

struct Test {
  std::string text;
  Dim3 grid, block{32, 1, 1};
  uint32_t shared = 0;
  std::vector<uint64_t> seeds{0, 1};
  LaunchOptions options;
  std::vector<Buffer> buffers;
  std::vector<std::string> errors;
};

[[noreturn]] void bad(const std::string &line, const std::string &why) {
  throw std::runtime_error(fmt::format("bad line '{}': {}", line, why));
}

uint64_t number(std::string word, bool isFloat, const std::string &line) {
  if (isFloat && word.find('.') != std::string::npos) {
    const float value = std::stof(word);
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bits;
  }
  const bool negative = word[0] == '-';
  if (negative)
    word.erase(0, 1);
  const bool hex = word.substr(0, 2) == "0x";
  uint64_t value = 0;
  const char *begin = word.data() + (hex ? 2 : 0), *last = word.data() + word.size();
  auto [end, error] = std::from_chars(begin, last, value, hex ? 16 : 10);
  if (error != std::errc() || end != last)
    bad(line, "expects a number, got '" + word + "'");
  return negative ? ~value + 1 : value;
}

void elements(std::istringstream &words, unsigned bytes, bool isFloat, const std::string &line,
              std::vector<Element> &list) {
  const uint64_t mask = bytes == 8 ? ~uint64_t(0) : (uint64_t(1) << (8 * bytes)) - 1;
  std::string word;
  while (words >> word) {
    Element e;
    uint64_t count = 1;
    if (size_t star = word.find('*'); star != std::string::npos) {
      count = number(word.substr(star + 1), false, line);
      word.resize(star);
    }
    if (size_t range = word.find(".."); range != std::string::npos) {
      const uint64_t first = number(word.substr(0, range), false, line),
                     last = number(word.substr(range + 2), false, line);
      for (uint64_t v = first; v <= last; ++v)
        list.push_back({v & mask, 0, false, false});
      continue;
    }
    if (size_t wave = word.find('~'); wave != std::string::npos) {
      e.tolerance = number(word.substr(wave + 1), false, line);
      word.resize(wave);
    }
    e.poison = word == "poison";
    e.any = word == "?";
    if (!e.poison && !e.any)
      e.bits = number(word, isFloat, line) & mask;
    list.insert(list.end(), count, e);
  }
}

Buffer &bufferFor(Test &test, const std::string &name, const std::string &type, const std::string &line) {
  static const std::pair<const char *, unsigned> kTypes[] = {{"u8", 1}, {"u16", 2}, {"u32", 4}, {"u64", 8}, {"f32", 4}};
  unsigned bytes = 0;
  for (auto [known, size] : kTypes)
    bytes = type == known ? size : bytes;
  if (!bytes)
    bad(line, "expects a type, got '" + type + "'");
  for (Buffer &b : test.buffers)
    if (b.name == name && !b.scalar)
      return b;
  Buffer buffer;
  buffer.name = name;
  buffer.bytes = bytes;
  test.buffers.push_back(buffer);
  return test.buffers.back();
}

std::vector<uint64_t> numbers(const std::string &list, const std::string &line) {
  std::vector<uint64_t> result;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');)
    result.push_back(number(part, false, line));
  return result;
}

/// map NAME of BUFFER TYPE dims=.. strides=.. box=.. swizzle=.. steps=.. nan=1: innermost dimension first.
void mapLine(Test &test, std::istringstream &words, const std::string &line) {
  static const char *const kElements[] = {"u8",  "u16", "u32",  "s32",    "u64",  "s64",    "f16",
                                          "f32", "f64", "bf16", "f32ftz", "tf32", "tf32ftz"};
  Buffer buffer;
  std::string of, type, word;
  words >> buffer.name >> of >> buffer.of >> type;
  auto found = std::find(std::begin(kElements), std::end(kElements), type);
  if (of != "of" || found == std::end(kElements))
    bad(line, "expects map NAME of BUFFER TYPE");
  buffer.isMap = true;
  buffer.map.element = TensorElement(found - std::begin(kElements));
  buffer.map.elementStrides.fill(1);
  while (words >> word) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::vector<uint64_t> values = numbers(equals == std::string::npos ? "1" : word.substr(equals + 1), line);
    for (size_t i = 0; i < values.size() && i < 5; ++i)
      if (key == "dims")
        buffer.map.dims[i] = values[i], buffer.map.rank = unsigned(values.size());
      else if (key == "box")
        buffer.map.box[i] = uint32_t(values[i]);
      else if (key == "steps")
        buffer.map.elementStrides[i] = uint32_t(values[i]);
      else if (key == "strides" && i < 4)
        buffer.map.strides[i] = values[i];
      else if (key == "swizzle")
        buffer.map.swizzle = unsigned(values[i]);
      else if (key == "nan")
        buffer.map.nanFill = values[i] != 0;
      else
        bad(line, "unknown option '" + key + "'");
  }
  test.buffers.push_back(buffer);
}

void launchLine(Test &test, std::istringstream &words, const std::string &line) {
  std::string word;
  while (words >> word) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals), value = equals == std::string::npos ? "1" : word.substr(equals + 1);
    if (key == "approx") {
      test.options.approximateWorst = value == "worst";
      continue;
    }
    if (key == "diverge") {
      test.options.divergeRandom = value == "random";
      continue;
    }
    if (key == "mma") {
      test.options.matrixTruncate = value == "truncate";
      continue;
    }
    if (key == "order") {
      test.options.order = value == "reversed"   ? CtaOrder::Reversed
                           : value == "shuffled" ? CtaOrder::Shuffled
                                                 : CtaOrder::Linear;
      continue;
    }
    const uint64_t n = number(value, false, line);
    if (key == "block")
      test.block.x = unsigned(n);
    else if (key == "block_y")
      test.block.y = unsigned(n);
    else if (key == "block_z")
      test.block.z = unsigned(n);
    else if (key == "grid")
      test.grid.x = unsigned(n);
    else if (key == "grid_y")
      test.grid.y = unsigned(n);
    else if (key == "grid_z")
      test.grid.z = unsigned(n);
    else if (key == "shared")
      test.shared = uint32_t(n);
    else if (key == "seed")
      test.seeds = {n};
    else if (key == "resident")
      test.options.resident = unsigned(n);
    else if (key == "cluster")
      test.options.cluster = unsigned(n);
    else if (key == "cooperative")
      test.options.cooperative = n != 0;
    else if (key == "lanes")
      test.options.laneOrder = n != 0;
    else if (key == "overlaps")
      test.options.overlapsPrevious = n != 0;
    else if (key == "fine")
      test.options.fine = n != 0;
    else
      bad(line, "unknown option '" + key + "'");
  }
}

void directive(Test &test, const std::string &line) {
  std::istringstream words(line.substr(3));
  std::string kind, name, type;
  words >> kind;
  if (kind == "launch")
    return launchLine(test, words, line);
  if (kind == "error") {
    std::string rest;
    std::getline(words >> std::ws, rest);
    test.errors.push_back(rest);
    return;
  }
  if (kind == "scalar") {
    words >> type;
    Buffer value;
    value.scalar = true;
    value.bytes = type == "u64" ? 8 : type == "u32" || type == "f32" ? 4 : 0;
    if (!value.bytes)
      bad(line, "expects u32, f32 or u64");
    elements(words, value.bytes, type == "f32", line, value.input);
    if (value.input.size() != 1)
      bad(line, "expects one value");
    test.buffers.push_back(value);
    return;
  }
  if (kind == "map")
    return mapLine(test, words, line);
  if (kind != "in" && kind != "out")
    bad(line, "expects launch, in, out, scalar, map or error");
  words >> name >> type;
  Buffer &buffer = bufferFor(test, name, type, line);
  (kind == "in" ? buffer.hasInput : buffer.hasOutput) = true;
  elements(words, buffer.bytes, type == "f32", line, kind == "in" ? buffer.input : buffer.output);
}

Test readTest(const std::filesystem::path &path) {
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error("cannot be read");
  Test test;
  std::stringstream all;
  all << file.rdbuf();
  test.text = all.str();
  std::istringstream lines(test.text);
  for (std::string line; std::getline(lines, line);)
    if (line.substr(0, 3) == "//!")
      directive(test, line);
  return test;
}

/// Forms executed so far, for the coverage report.
std::set<std::string> executedForms;

std::vector<uint8_t> prepare(Simulator &simulator, Test &test, const EntryInfo &entry) {
  if (entry.parameters.size() != test.buffers.size())
    throw std::runtime_error(fmt::format("the entry has {} parameters, the file describes {}", entry.parameters.size(),
                                         test.buffers.size()));
  std::vector<uint8_t> block(entry.parameterBytes);
  for (size_t i = 0; i < test.buffers.size(); ++i) {
    Buffer &b = test.buffers[i];
    if (entry.parameters[i].size != (b.isMap ? TensorMap::kBytes : b.scalar ? b.bytes : 8))
      throw std::runtime_error(
          fmt::format("parameter {} has {} bytes, the file describes another", i, entry.parameters[i].size));
    if (b.scalar) {
      std::memcpy(block.data() + entry.parameters[i].offset, &b.input[0].bits, b.bytes);
      continue;
    }
    if (b.isMap)
      continue;
    b.address = simulator.allocate(b.count() * b.bytes, b.name);
    for (size_t e = 0; e < b.input.size(); ++e) {
      if (b.input[e].poison)
        continue;
      simulator.copyIn(b.address + e * b.bytes, &b.input[e].bits, b.bytes);
    }
    std::memcpy(block.data() + entry.parameters[i].offset, &b.address, 8);
  }
  for (size_t i = 0; i < test.buffers.size(); ++i) {
    Buffer &b = test.buffers[i];
    if (!b.isMap)
      continue;
    for (const Buffer &other : test.buffers)
      if (other.name == b.of)
        b.map.base = other.address;
    uint8_t bytes[TensorMap::kBytes];
    encodeTensorMap(b.map, bytes);
    std::memcpy(block.data() + entry.parameters[i].offset, bytes, sizeof bytes);
  }
  return block;
}

std::string compare(const Simulator &simulator, const Test &test) {
  std::string wrong;
  unsigned count = 0;
  for (const Buffer &b : test.buffers)
    for (size_t e = 0; e < b.output.size(); ++e) {
      const Element &want = b.output[e];
      if (want.any)
        continue;
      uint64_t got = 0;
      simulator.copyOut(&got, b.address + e * b.bytes, b.bytes);
      const uint64_t distance = got > want.bits ? got - want.bits : want.bits - got;
      if (distance > want.tolerance && ++count <= 8)
        wrong += fmt::format("\n  {}[{}] expects {:#x}, got {:#x}", b.name, e, want.bits, got);
    }
  if (count > 8)
    wrong += fmt::format("\n  and {} more", count - 8);
  return wrong;
}

/// An instruction that fails as it should has been executed.
void noteFaultyLine(const std::string &text, const std::string &file, const std::string &message) {
  const ParseResult result = parse(text, file);
  if (!result.module || message.substr(0, file.size() + 1) != file + ":")
    return;
  const unsigned long line = std::strtoul(message.c_str() + file.size() + 1, nullptr, 10);
  for (const Op &op : result.module->ops)
    if (op.line == line)
      executedForms.insert(op.form->text);
}

/// Empty if the file does what it says.
std::string runOnce(Test &test, const std::string &file, uint64_t seed) {
  try {
    Simulator simulator;
    const Simulator::Module module = simulator.load(test.text, file);
    const std::vector<EntryInfo> entries = simulator.entries(module);
    if (entries.empty())
      return "the file has no entry";
    const std::vector<uint8_t> parameters = prepare(simulator, test, entries[0]);
    LaunchOptions options = test.options;
    options.seed = seed;
    if (options.overlapsPrevious)
      for (size_t i = 1; i < entries.size(); ++i) {
        options.overlapsPrevious = i > 1;
        simulator.launch(module, entries[i].name, test.grid, test.block, test.shared, parameters.data(),
                         parameters.size(), options);
      }
    options.overlapsPrevious = test.options.overlapsPrevious;
    const LaunchStatistics statistics = simulator.launch(module, entries[0].name, test.grid, test.block, test.shared,
                                                         parameters.data(), parameters.size(), options);
    for (const OpcodeCount &opcode : statistics.opcodes)
      if (opcode.executed)
        executedForms.insert(opcode.opcode);
    if (!test.errors.empty())
      return fmt::format("expects the error '{}', got none", test.errors[0]);
    return compare(simulator, test);
  } catch (const Error &error) {
    const std::string message = error.what();
    if (test.errors.empty())
      return message;
    for (const std::string &wanted : test.errors)
      if (message.find(wanted) == std::string::npos)
        return fmt::format("expects the error '{}', got:\n{}", wanted, message);
    noteFaultyLine(test.text, file, message);
    return "";
  }
}

/// Checks are there because some mistake needs them: without one of them, at least one of the files must fail.
size_t uselessChecks(const std::vector<std::filesystem::path> &files) {
  size_t useless = 0;
  for (const std::string &name : checkNames()) {
    bool needed = false;
    for (const auto &path : files) {
      Test test = readTest(path);
      if (test.errors.empty() || !runOnce(test, path.string(), test.seeds[0]).empty())
        continue;
      *findCheck(test.options.checks, name) = false;
      needed = !runOnce(test, path.string(), test.seeds[0]).empty();
      if (needed) {
        fmt::print("{}: {} needs it\n", name, path.filename().string());
        break;
      }
    }
    if (!needed)
      fmt::print("{}: no file needs it\n", name);
    useless += !needed;
  }
  return useless;
}

bool runFile(const std::filesystem::path &path) {
  const std::string file = path.string();
  try {
    Test test = readTest(path);
    if (test.errors.empty() &&
        std::none_of(test.buffers.begin(), test.buffers.end(), [](const Buffer &b) { return b.hasOutput; }))
      throw std::runtime_error("expects an 'out' or 'error' line: nothing would be tested");
    for (bool baseline : {false, true})
      for (uint64_t seed : test.seeds) {
        scalar::forceBaseline(baseline);
        if (std::string wrong = runOnce(test, file, seed); !wrong.empty()) {
          fmt::print("FAIL {} (seed {}{}): {}\n", file, seed, baseline ? ", baseline" : "", wrong);
          return false;
        }
      }
    return true;
  } catch (const std::exception &error) {
    fmt::print("FAIL {}: {}\n", file, error.what());
    return false;
  }
}

/// Rows of the table that no executed instruction of `files` came from.
size_t uncoveredRows(const std::vector<std::filesystem::path> &files) {
  std::set<unsigned> covered;
  for (const auto &path : files) {
    const Test test = readTest(path);
    const ParseResult result = parse(test.text, path.string());
    if (!result.module)
      continue;
    for (const Form &form : result.module->forms)
      if (executedForms.count(form.text))
        covered.insert(form.row->index);
  }
  size_t missing = 0;
  for (const TableRow &row : table()) {
    if (covered.count(row.index))
      continue;
    fmt::print("not executed: {} {} ({}), expects test/sim/{}.ptx\n", row.name, row.modifiers, row.operands, row.test);
    ++missing;
  }
  fmt::print("{} of {} rows are executed\n", table().size() - missing, table().size());
  return missing;
}

} // namespace

int main(int count, char **words) {
  std::vector<std::filesystem::path> files;
  bool coverage = false, switches = false;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--coverage")
      coverage = true;
    else if (word == "--switches")
      switches = true;
    else if (std::filesystem::is_directory(word)) {
      for (const auto &entry : std::filesystem::directory_iterator(word))
        if (entry.path().extension() == ".ptx")
          files.push_back(entry.path());
    } else
      files.push_back(word);
  }
  if (files.empty()) {
    fmt::print(stderr, "usage: attn-sim-test [--coverage|--switches] FILE.ptx|FOLDER...\n");
    return 2;
  }
  std::sort(files.begin(), files.end());
  if (switches)
    return uselessChecks(files) ? 1 : 0;
  size_t failed = 0;
  for (const auto &file : files)
    failed += !runFile(file);
  fmt::print("{} of {} files pass\n", files.size() - failed, files.size());
  const size_t missing = coverage ? uncoveredRows(files) : 0;
  return failed || missing ? 1 : 0;
}
