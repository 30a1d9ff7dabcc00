// SPDX-License-Identifier: Apache-2.0
// Reads the header lines of a kernel file into its struct and hands everything that is wrong to one list.
#include "runtime/Error.h"
#include "runtime/KernelFile.h"
#include "runtime/KernelFileCheck.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>

namespace attn {

namespace {

constexpr std::string_view firstWord = "//! attn-kernel-file";
/// Faults after which a damaged file is given up; more than that helps nobody.
constexpr size_t mostFaults = 20;

/// Removes the last line's end and what is before it: one line of the text.
std::string_view takeLine(std::string_view &text) {
  size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

/// What a message shows of text that came from a file: short and printable.
std::string shown(std::string_view text) {
  std::string result;
  for (char c : text.substr(0, 60))
    result += std::isprint(static_cast<unsigned char>(c)) ? c : '?';
  return text.size() > 60 ? result + "..." : result;
}

class Reader {
public:
  Reader(std::string_view text, std::string_view name) : text(text), name(name) {}

  KernelFile read() {
    readPreamble();
    bool ended = false;
    while (!ended && text.substr(0, 3) == "//!" && faults.size() < mostFaults) {
      nextLine();
      ended = readLine();
    }
    if (!ended && faults.empty())
      fault("expects '//! end' after the source, got the end of the header lines");
    if (faults.empty())
      for (std::string &sentence : faultsOf(file, text))
        faults.push_back(fmt::format("{}: {}", name, sentence));
    if (!faults.empty())
      throw Error(std::move(faults));
    return std::move(file);
  }

private:
  //--- Lines and words ---

  void nextLine() {
    rest = takeLine(text);
    ++lineNumber;
    while (!rest.empty() && rest.back() == '\r')
      rest.remove_suffix(1);
    whole = rest;
  }

  void fault(const std::string &sentence) { faults.push_back(fmt::format("{}:{}: {}", name, lineNumber, sentence)); }

  void skipSpace() {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t'))
      rest.remove_prefix(1);
  }

  std::string_view word() {
    skipSpace();
    size_t length = std::min(rest.find_first_of(" \t"), rest.size());
    std::string_view result = rest.substr(0, length);
    rest.remove_prefix(length);
    return result;
  }

  /// The next word as a name; empty after a fault.
  std::string nameWord(const char *what) {
    std::string_view next = word();
    bool valid = !next.empty() && !std::isdigit(static_cast<unsigned char>(next[0])) && next[0] != '.';
    for (char c : next)
      valid &= std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '.';
    if (valid)
      return std::string(next);
    fault(fmt::format("expects {}, got '{}'", what, shown(next)));
    return {};
  }

  int64_t numberWord(const char *what, int64_t least, int64_t most) {
    std::string_view next = word();
    int64_t value = 0;
    auto [end, code] = std::from_chars(next.data(), next.data() + next.size(), value);
    if (next.empty() || code != std::errc() || end != next.data() + next.size() || value < least || value > most) {
      fault(fmt::format("expects {} from {} to {}, got '{}'", what, least, most, shown(next)));
      return least;
    }
    return value;
  }

  Expression expression() {
    skipSpace();
    std::string_view whole = rest;
    rest = {};
    while (!whole.empty() && whole.back() == ' ')
      whole.remove_suffix(1);
    if (whole.size() > 1000) {
      fault(fmt::format("expects an expression of at most 1000 characters, got {}", whole.size()));
      return {};
    }
    try {
      return Expression::parse(whole);
    } catch (const Error &error) {
      fault(error.what());
      return {};
    }
  }

  void endOfLine() {
    skipSpace();
    if (!rest.empty())
      fault(fmt::format("expects the end of the line, got '{}'", shown(rest)));
  }

  //--- The first five lines ---

  /// These are checked one after the other: what follows a wrong one means nothing.
  void readPreamble() {
    readVersion();
    file.build = preambleWord("build");
    file.target = preambleWord("target");
    file.specHash = hashWord("spec-hash");
    std::string check = hashWord("check"), content = hexadecimal(hashOf(text));
    if (content != check)
      throw Error(
          fmt::format("{} is truncated, damaged or was edited: its content has the hash {}, its check line says "
                      "{}; compile it again",
                      name, content, check));
  }

  void readVersion() {
    nextLine();
    if (rest.substr(0, firstWord.size()) != firstWord)
      throw Error(fmt::format("{} is no kernel file: expects '{} {}' as its first line, got '{}'", name, firstWord,
                              kernelFileVersion, shown(rest)));
    rest.remove_prefix(firstWord.size());
    std::string_view version = word();
    if (version != std::to_string(kernelFileVersion))
      throw Error(fmt::format("{} has kernel file format '{}', this runtime reads {}: compile it again", name,
                              shown(version), kernelFileVersion));
    stopAtFault();
  }

  std::string preambleWord(const char *keyword) {
    nextLine();
    std::string_view marker = word(), key = word(), value = word();
    if (marker != "//!" || key != keyword || value.empty())
      fault(fmt::format("expects '//! {}' and its value, got '{}'", keyword, shown(whole)));
    stopAtFault();
    return std::string(value);
  }

  std::string hashWord(const char *keyword) {
    std::string value = preambleWord(keyword);
    if (value.size() != 16 || value.find_first_not_of("0123456789abcdef") != std::string::npos)
      fault(fmt::format("expects 16 hexadecimal digits after '{}', got '{}'", keyword, shown(value)));
    stopAtFault();
    return value;
  }

  void stopAtFault() {
    if (faults.empty())
      endOfLine();
    if (!faults.empty())
      throw Error(std::move(faults));
  }

  //--- The lines of kernels ---

  /// Reads one line; true at the end of the header.
  bool readLine() {
    rest.remove_prefix(3);
    std::string_view keyword = word();
    if (inSource)
      return readSourceLine(keyword);
    if (keyword == "source") {
      inSource = true;
      endOfLine();
    } else if (keyword == "kernel") {
      file.kernels.emplace_back().name = nameWord("the name of a kernel");
      endOfLine();
    } else if (file.kernels.empty()) {
      fault(fmt::format("expects 'kernel', got '{}'", shown(keyword)));
    } else if (!readKernelLine(keyword, file.kernels.back()) && !readEntryLine(keyword, file.kernels.back())) {
      fault(fmt::format("expects kernel, input, scalar, output, inout, data, workspace, launch, or, requires, grid, "
                        "block, shared, cooperative, overlaps-previous, param or source, got '{}'",
                        shown(keyword)));
    }
    return false;
  }

  bool readSourceLine(std::string_view keyword) {
    if (keyword == "end" && whole == "//! end")
      return true;
    if (whole.substr(0, 5) == "//! |" && (whole.size() == 5 || whole[5] == ' '))
      file.source += std::string(whole.substr(std::min<size_t>(6, whole.size()))) + "\n";
    else
      fault(fmt::format("expects '//! | ' and a line of the spec, or '//! end', got '{}'", shown(whole)));
    return false;
  }

  bool readKernelLine(std::string_view keyword, KernelSection &kernel) {
    using Role = KernelArgument::Role;
    if (keyword == "input" || keyword == "output" || keyword == "inout")
      readTensor(kernel, keyword == "input" ? Role::Input : keyword == "output" ? Role::Output : Role::InOut);
    else if (keyword == "scalar")
      readScalar(kernel);
    else if (keyword == "data")
      readFact(kernel);
    else if (keyword == "workspace")
      kernel.workspace = expression();
    else
      return false;
    endOfLine();
    return true;
  }

  DType typeWord() {
    std::string_view next = word();
    if (std::optional<DType> type = typeNamed(next))
      return *type;
    fault(fmt::format("expects a type (f16, bf16, f32, f64, i8, i32, i64, bool, index), got '{}'", shown(next)));
    return DType::F32;
  }

  void readTensor(KernelSection &kernel, KernelArgument::Role role) {
    KernelArgument &argument = kernel.arguments.emplace_back();
    argument.kind = role;
    argument.name = nameWord("the name of an argument");
    argument.type = typeWord();
    if (argument.type == DType::Index)
      fault("expects elements of a type with a size in memory, got 'index'");
    skipSpace();
    if (rest.empty() || rest.front() != '[' || rest.back() != ']') {
      fault(fmt::format("expects a shape in brackets, got '{}'", shown(rest)));
      rest = {};
      return;
    }
    std::string_view inside = rest.substr(1, rest.size() - 2);
    while (!inside.empty()) {
      size_t comma = inside.find(',');
      rest = inside.substr(0, comma);
      inside.remove_prefix(comma == std::string_view::npos ? inside.size() : comma + 1);
      readDimension(argument);
      endOfLine();
    }
    rest = {};
  }

  void readDimension(KernelArgument &argument) {
    Dimension &dimension = argument.shape.emplace_back();
    dimension.name = nameWord("the name of a dimension");
    skipSpace();
    if (rest.empty())
      return;
    if (std::string_view sign = word(); sign != "=") {
      fault(fmt::format("expects '=' after the name of a dimension, got '{}'", shown(sign)));
      rest = {};
      return;
    }
    dimension.size = numberWord("a size", 0, largestDimension);
  }

  void readScalar(KernelSection &kernel) {
    KernelArgument &argument = kernel.arguments.emplace_back();
    argument.kind = KernelArgument::Role::Scalar;
    argument.name = nameWord("the name of an argument");
    argument.type = typeWord();
    if (argument.type != DType::F32 && argument.type != DType::I32 && argument.type != DType::Index)
      fault(fmt::format("expects a scalar of f32, i32 or index, got {}", nameOf(argument.type)));
  }

  void readFact(KernelSection &kernel) {
    std::string_view kind = word();
    const DataFactForm *form = dataFactForm(kind);
    if (!form) {
      fault(fmt::format("expects length, increasing, sorted, pointers, pages, members, ranges or rows, got '{}'", shown(kind)));
      rest = {};
      return;
    }
    DataFact &fact = kernel.facts.emplace_back();
    fact.what = form->kind;
    for (const DataFactForm::Field &field : form->fields) {
      skipSpace();
      if (field.isNumber)
        fact.*field.place = std::to_string(numberWord(field.what, 1, largestDimension));
      else if (!field.optional || !rest.empty())
        fact.*field.place = nameWord(field.what);
    }
  }

  //--- The lines of entries ---

  bool readEntryLine(std::string_view keyword, KernelSection &kernel) {
    if (keyword == "launch" || keyword == "or") {
      startEntry(kernel, keyword == "launch");
    } else if (keyword == "requires" || keyword == "grid" || keyword == "block" || keyword == "shared" ||
               keyword == "cooperative" || keyword == "overlaps-previous" || keyword == "param") {
      if (kernel.steps.empty())
        missLaunch(keyword);
      else
        readEntryFact(keyword, kernel.steps.back().alternatives.back());
    } else {
      return false;
    }
    endOfLine();
    return true;
  }

  void startEntry(KernelSection &kernel, bool first) {
    std::string entry = nameWord("the name of an entry");
    if (first)
      kernel.steps.emplace_back();
    if (kernel.steps.empty())
      missLaunch("or");
    else
      kernel.steps.back().alternatives.emplace_back().name = std::move(entry);
  }

  /// Said once for a kernel: all its lines would have the same fault.
  void missLaunch(std::string_view keyword) {
    if (launchless != file.kernels.size())
      fault(fmt::format("expects 'launch' before '{}'", keyword));
    launchless = file.kernels.size();
    rest = {};
  }

  void readEntryFact(std::string_view keyword, KernelEntry &entry) {
    if (keyword == "grid")
      entry.grid = expression();
    else if (keyword == "block")
      entry.block = numberWord("a number of threads", 1, 1024);
    else if (keyword == "shared")
      entry.shared = numberWord("a number of bytes", 0, 1 << 20);
    else if (keyword == "cooperative")
      entry.cooperative = true;
    else if (keyword == "overlaps-previous")
      entry.overlapsPrevious = true;
    else if (keyword == "requires")
      readRequirement(entry);
    else
      readParameter(entry);
  }

  void readRequirement(KernelEntry &entry) {
    std::string_view kind = word();
    if (kind == "tensor-map") {
      entry.tensorMaps.push_back(nameWord("the name of a tensor"));
      return;
    }
    if (kind != "aligned") {
      fault(fmt::format("expects 'aligned' or 'tensor-map', got '{}'", shown(kind)));
      rest = {};
      return;
    }
    Alignment &alignment = entry.required.emplace_back();
    alignment.tensor = nameWord("the name of a tensor");
    alignment.bytes = numberWord("a number of bytes", 1, 4096);
  }

  void readParameter(KernelEntry &entry) {
    using Kind = KernelParameter::Kind;
    std::string_view kind = word();
    KernelParameter &parameter = entry.parameters.emplace_back();
    if (kind == "address") {
      parameter = {Kind::Address, nameWord("the name of a tensor")};
    } else if (kind == "size") {
      parameter = {Kind::Size, nameWord("the name of a dimension")};
    } else if (kind == "stride") {
      parameter = {Kind::Stride, nameWord("the name of a tensor")};
      parameter.dimension = numberWord("the number of a dimension", 0, 31);
    } else if (kind == "scalar") {
      parameter = {Kind::Scalar, nameWord("the name of a scalar")};
    } else if (kind == "workspace") {
      parameter = {Kind::Workspace};
      parameter.offset = expression();
    } else if (kind == "map") {
      parameter = {Kind::Map, nameWord("the name of a tensor")};
      readBox(parameter);
    } else {
      fault(fmt::format("expects address, size, stride, scalar, workspace or map, got '{}'", shown(kind)));
      rest = {};
    }
  }

  /// `box [1, 128, 1, 64] swizzle 128`
  void readBox(KernelParameter &parameter) {
    std::string_view key = word();
    skipSpace();
    size_t end = rest.find(']');
    if (key != "box" || rest.empty() || rest.front() != '[' || end == std::string_view::npos) {
      fault(fmt::format("expects 'box' and its sizes in brackets, got '{}'", shown(whole)));
      rest = {};
      return;
    }
    std::string_view inside = rest.substr(1, end - 1), after = rest.substr(end + 1);
    while (!inside.empty()) {
      size_t comma = inside.find(',');
      rest = inside.substr(0, comma);
      inside.remove_prefix(comma == std::string_view::npos ? inside.size() : comma + 1);
      parameter.box.push_back(numberWord("a size of the box", 1, 256));
      endOfLine();
    }
    rest = after;
    if (std::string_view next = word(); next != "swizzle") {
      fault(fmt::format("expects 'swizzle', got '{}'", shown(next)));
      rest = {};
      return;
    }
    parameter.swizzle = numberWord("the bytes of a swizzle", 0, 128);
  }

  std::string_view text; ///< what has not been read yet
  std::string_view name;
  std::string_view whole; ///< the current line
  std::string_view rest;  ///< what is left of it
  int lineNumber = 0;
  bool inSource = false;
  size_t launchless = 0; ///< number of the kernel whose missing 'launch' was said
  KernelFile file;
  std::vector<std::string> faults;
};

} // namespace

KernelFile parseKernelFile(std::string_view text, std::string_view name) { return Reader(text, name).read(); }

bool looksLikeKernelFile(std::string_view text) { return text.substr(0, firstWord.size()) == firstWord; }

} // namespace attn
