// SPDX-License-Identifier: Apache-2.0
// trim-walks against brute force: for many masks, tiles, lengths and alignments, which tiles the loop visits and which
// it calls free is compared with what the mask says of every pair.
#include "Bounds.h"
#include "Predicates.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include "llvm/Support/FormatVariadic.h"
#include <chrono>
#include <cstdio>
#include <random>

using namespace mlir;
using namespace attn::test;
using attn::ListedTile;

namespace {

/// How rows and keys are given to the walk.
enum class Setting { AlignEnd, AlignStart, Positions, Part, Packed, PackedAtPositions };
constexpr Setting kSettings[] = {Setting::AlignEnd, Setting::AlignStart, Setting::Positions,
                                 Setting::Part,     Setting::Packed,     Setting::PackedAtPositions};
const char *const kSettingNames[] = {"aligned at the end", "aligned at the start", "with positions",
                                     "part of the keys",   "heads in the rows",    "heads in the rows, with positions"};

bool isPacked(Setting setting) { return setting == Setting::Packed || setting == Setting::PackedAtPositions; }

/// Rows from the `packed` heads of a token to those of the next.
struct Tile {
  int64_t rows, columns, packed = 1;
};
constexpr Tile kTiles[] = {{16, 16}, {32, 32},   {40, 40},  {48, 48},  {64, 64},
                           {96, 96}, {128, 128}, {128, 64}, {16, 128}, {64, 24}};

/// Groups that divide a tile, that do not, and that are larger than one.
constexpr Tile kPackedTiles[] = {{16, 16, 4},  {64, 64, 8},   {48, 48, 3},  {64, 24, 7},  {128, 64, 16},
                                 {16, 48, 32}, {128, 128, 7}, {40, 40, 12}, {64, 32, 64}, {32, 32, 2}};

ArrayRef<Tile> tilesOf(Setting setting) { return isPacked(setting) ? ArrayRef(kPackedTiles) : ArrayRef(kTiles); }

/// The walk's own numbers. Arguments of the function in this order, behind %q and %k. Rows are tokens; a view with
/// several heads in its rows is told of tokens or of rows, and where its tile begins as a tile's number or as a row.
struct Case {
  int64_t rows, keys, rowPosition, keyPosition, from, to, p;
};

std::string moduleText(const Predicate &predicate, Setting setting, Tile tile, bool lists) {
  std::string packed = llvm::formatv(R"(
  %group = arith.constant {0} : index
  %block = arith.constant {1} : index
  %first = arith.muli %row, %block : index
  %rows = arith.muli %nq, %group : index
  %offset = arith.subi %nk, %nq : index
  %query = tile.view %q[%b, %h] length %rows packed {0} position %offset : !m -> !view
  %keys = tile.view %k[%b, %h] length %nk : !m -> !view)",
                                     tile.packed, tile.rows);
  std::string packedAtPositions = llvm::formatv(R"(
  %query = tile.view %q[%b, %h] length %nq packed {0} position %pq : !m -> !view
  %keys = tile.view %k[%b, %h] length %nk position %pk : !m -> !view)",
                                                tile.packed);
  std::string views = setting == Setting::Packed              ? packed
                      : setting == Setting::PackedAtPositions ? packedAtPositions
                      : setting == Setting::AlignStart        ? R"(
  %query = tile.view %q[%b, %h] length %nq : !m -> !view
  %keys = tile.view %k[%b, %h] length %nk : !m -> !view)"
                      : setting == Setting::Positions         ? R"(
  %query = tile.view %q[%b, %h] length %nq position %pq : !m -> !view
  %keys = tile.view %k[%b, %h] length %nk position %pk : !m -> !view)"
                                                              : R"(
  %offset = arith.subi %nk, %nq : index
  %query = tile.view %q[%b, %h] length %nq position %offset : !m -> !view
  %keys = tile.view %k[%b, %h] length %nk : !m -> !view)";
  std::string bounds = setting == Setting::Part ? "%from to %to" : "%zero to %nk";
  return llvm::formatv(R"(
!m = memref<?x?x1x128xbf16>
!view = !tile.view<128 x bf16>
!scores = tensor<{2}x{3}xf32>
func.func private @visible(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %p: index, %lens: memref<?xi32>, %ids: memref<?xi32>, %starts: memref<?xi32>) -> i1 {{
  {0}
  return %v : i1
}
func.func private @in_bounds(index, index, index, index, index, index) -> i1
func.func @kernel(%q: !m, %k: !m, %lens: memref<?xi32>, %ids: memref<?xi32>, %starts: memref<?xi32>, %s: !scores, %b: index, %h: index, %row: index,
                  %nq: index, %nk: index, %pq: index, %pk: index, %from: index, %to: index, %p: index) -> !scores {6}{{
  %zero = arith.constant 0 : index{1}
  %r = tile.walk %col in %keys[{4}] step {3} iter_args(%x = %s) : !view -> (!scores) {{
    %m = tile.mask %x by [@visible, @in_bounds](%p, %lens, %ids, %starts : index, memref<?xi32>, memref<?xi32>, memref<?xi32>) rows %query[{5}] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}
)",
                       predicate.body, views, tile.rows, tile.columns, bounds,
                       setting == Setting::Packed ? "%first" : "%row", lists ? "attributes {tile.lists} " : "")
      .str();
}

/// Which pairs are visible, as sums, so that the number of them in a rectangle is four look-ups.
class Picture {
public:
  Picture(const Predicate &predicate, const Case &sizes, const Memory &memory)
      : width(sizes.keys + 1), sums((sizes.rows + 1) * width) {
    for (int64_t r = 0; r < sizes.rows; ++r)
      for (int64_t c = 0, line = 0; c < sizes.keys; ++c) {
        line += predicate.holds({r, c, sizes.rowPosition + r, sizes.keyPosition + c, sizes.p, memory});
        sums[(r + 1) * width + c + 1] = sums[r * width + c + 1] + line;
      }
  }
  int64_t count(int64_t row, int64_t endRow, int64_t column, int64_t endColumn) const {
    return sums[endRow * width + endColumn] - sums[row * width + endColumn] - sums[endRow * width + column] +
           sums[row * width + column];
  }

private:
  int64_t width;
  std::vector<int32_t> sums;
};

/// The same mask with one tile, before and after split-loops.
struct Compiled {
  Tile tile;
  Setting setting;
  OwningOpRef<ModuleOp> trimmedModule, splitModule;
  std::unique_ptr<Bounds> trimmed, split;
};

struct Totals {
  long programs = 0, tiles = 0, visited = 0, visible = 0, free = 0, fullyVisible = 0, lists = 0, faults = 0;
};

class Property {
public:
  Property() {
    DialectRegistry registry;
    registry.insert<attn::tile::TileDialect, arith::ArithDialect, func::FuncDialect, math::MathDialect,
                    memref::MemRefDialect, scf::SCFDialect>();
    context.appendDialectRegistry(registry);
    context.disableMultithreading();
    context.getDiagEngine().registerHandler([](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
        std::fprintf(stderr, "%s\n", diagnostic.str().c_str());
      return success();
    });
  }

  int run();

private:
  void tryPredicate(const Predicate &predicate, Setting setting);
  void trySizes(const Predicate &predicate, Setting setting, int64_t rows, int64_t keys);
  void tryProgram(const Predicate &predicate, Compiled &compiled, const Case &sizes, const Picture &picture,
                  int64_t row);
  Loop runProgram(Compiled &compiled, const Case &sizes, int64_t row);
  void checkSplit(Compiled &compiled, const Loop &trimmed, ArrayRef<int64_t> arguments);
  void trySpellings();
  void tryLists(const Predicate &predicate, Setting setting);
  void tryHuge(const Predicate &predicate);
  void tryRandom();
  Compiled compile(const Predicate &predicate, Setting setting, Tile tile, bool lists = false);
  void tryList(const std::vector<ListedTile> &listed, const Compiled &compiled, const Case &sizes,
               const Picture &picture, int64_t row);
  void drawMemory();
  void fault(const std::string &what);

  MLIRContext context;
  std::vector<Compiled> compiled;
  Memory memory{{0}, std::vector<int32_t>(800), std::vector<int32_t>(800)};
  const std::vector<int32_t> *memories[3] = {&memory.lens, &memory.ids, &memory.starts};
  Totals totals;
  std::string where;
  std::mt19937 random{1};
};

void Property::fault(const std::string &what) {
  if (totals.faults++ < 20)
    std::printf("%s: %s\n", where.c_str(), what.c_str());
}

Compiled Property::compile(const Predicate &predicate, Setting setting, Tile tile, bool lists) {
  Compiled result;
  result.tile = tile;
  result.setting = setting;
  for (bool split : {false, true}) {
    if (split && lists) // loops over lists are split by data
      continue;
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(moduleText(predicate, setting, tile, lists), &context);
    PassManager passes(&context);
    passes.addPass(attn::createTrimWalks());
    if (split)
      passes.addNestedPass<func::FuncOp>(attn::createSplitLoops());
    if (!module || failed(passes.run(*module))) {
      fault("does not compile");
      std::exit(1);
    }
    auto bounds = std::make_unique<Bounds>(module->lookupSymbol<func::FuncOp>("kernel"));
    (split ? result.split : result.trimmed) = std::move(bounds);
    (split ? result.splitModule : result.trimmedModule) = std::move(module);
  }
  return result;
}

//===-- one program ------------------------------------------------------------===//

void Property::checkSplit(Compiled &compiled, const Loop &trimmed, ArrayRef<int64_t> arguments) {
  int64_t next = trimmed.first;
  for (const Loop &part : compiled.split->run(arguments, memories)) {
    if (part.first != next && part.first < part.end)
      fault("parts of a split loop do not join");
    for (int64_t t = part.first; t < part.end; ++t)
      if ((part.part == "full") != (t >= trimmed.freeFrom && t < trimmed.freeTo))
        fault("a part of a split loop has the wrong kind");
    next = std::max(next, part.end);
  }
  if (next != std::max(trimmed.first, trimmed.end))
    fault("a split loop ends elsewhere");
}

/// What the function is called with for the tile that begins with a row of the view.
static SmallVector<int64_t> argumentsOf(const Compiled &compiled, const Case &sizes, int64_t row) {
  int64_t length = sizes.rows;
  if (compiled.setting == Setting::Packed)
    row /= compiled.tile.rows;
  else
    length *= compiled.tile.packed;
  return {0,          0,        0,      0, 0, 0, 0, 0, row, length, sizes.keys, sizes.rowPosition, sizes.keyPosition,
          sizes.from, sizes.to, sizes.p};
}

Loop Property::runProgram(Compiled &compiled, const Case &sizes, int64_t row) {
  SmallVector<int64_t> arguments = argumentsOf(compiled, sizes, row);
  Loop loop = compiled.trimmed->run(arguments, memories).front();
  if (compiled.split)
    checkSplit(compiled, loop, arguments);
  return loop;
}

void Property::tryProgram(const Predicate &predicate, Compiled &compiled, const Case &sizes, const Picture &picture,
                          int64_t row) {
  auto [blockRows, step, packed] = compiled.tile;
  Loop loop = runProgram(compiled, sizes, row);
  if (loop.listed)
    return tryList(*loop.listed, compiled, sizes, picture, row);
  int64_t endRow = std::min((row + blockRows - 1) / packed + 1, sizes.rows), begin = sizes.from / step,
          last = (sizes.to + step - 1) / step;
  row /= packed;
  int64_t firstVisible = INT64_MAX, endVisible = INT64_MIN, fullTiles = 0, freeTiles = 0;
  for (int64_t t = begin; t < last; ++t) {
    int64_t column = t * step, endColumn = std::min(column + step, sizes.keys);
    int64_t inRange = picture.count(row, endRow, column, std::min(endColumn, std::max(column, sizes.to)));
    bool full = endColumn == column + step &&
                picture.count(row, endRow, column, endColumn) == (endRow - row) * (endColumn - column);
    bool visited = t >= loop.first && t < loop.end, free = t >= loop.freeFrom && t < loop.freeTo;
    if (inRange) {
      firstVisible = std::min(firstVisible, t);
      endVisible = t + 1;
    }
    if (inRange && !visited)
      fault("tile " + std::to_string(t) + " has visible pairs and is not visited");
    if (free && !full)
      fault("tile " + std::to_string(t) + " needs its mask and is called free");
    totals.visible += inRange != 0;
    totals.visited += visited;
    fullTiles += full && visited;
    freeTiles += free;
  }
  totals.tiles += last - begin;
  totals.free += freeTiles;
  totals.fullyVisible += fullTiles;
  totals.programs += 1;
  if (loop.first < loop.end && (loop.first < begin || loop.end > last))
    fault("tiles outside the walk's range are visited");
  if (loop.freeFrom < loop.first || loop.freeTo < loop.freeFrom || (loop.end >= loop.first && loop.freeTo > loop.end))
    fault("the clause leaves the loop");
  if (loop.end < loop.first)
    fault("the loop ends before it begins");
  bool exact = endVisible < 0 ? loop.first >= loop.end : loop.first == firstVisible && loop.end == endVisible;
  if ((predicate.promise & kVisitsExactly) && !exact)
    fault(llvm::formatv("visits [{0}, {1}), visible are [{2}, {3})", loop.first, loop.end, firstVisible, endVisible));
  if ((predicate.promise & kFreeExactly) && freeTiles != fullTiles)
    fault(llvm::formatv("calls {0} tiles free, {1} are", freeTiles, fullTiles));
}

void Property::tryList(const std::vector<ListedTile> &listed, const Compiled &compiled, const Case &sizes,
                       const Picture &picture, int64_t row) {
  auto [blockRows, step, packed] = compiled.tile;
  int64_t endRow = std::min((row + blockRows - 1) / packed + 1, sizes.rows);
  // Of residues by a number below 1 nothing is known.
  bool wholeRows = row + blockRows <= sizes.rows * packed && sizes.p >= 0;
  row /= packed;
  for (int64_t t = sizes.from / step; t < (sizes.to + step - 1) / step; ++t) {
    int64_t column = t * step, endColumn = std::min(column + step, sizes.keys);
    auto found = llvm::find_if(listed, [&](const ListedTile &each) { return each.number == t; });
    bool isListed = found != listed.end(), isFull = isListed && found->full;
    bool visible = picture.count(row, endRow, column, std::min(endColumn, std::max(column, sizes.to)));
    bool whole = endColumn == column + step;
    bool full = whole && picture.count(row, endRow, column, endColumn) == (endRow - row) * (endColumn - column);
    if (isListed ? !visible && whole && wholeRows : visible)
      fault(llvm::formatv("tile {0} is {1}listed", t, isListed ? "" : "not "));
    if (isFull ? !full : full && wholeRows)
      fault(llvm::formatv("tile {0} is {1}full", t, full ? "" : "not "));
  }
  totals.lists += 1;
}

/// Values that do not fall and values in any order, now and then at the ends of what there is.
void Property::drawMemory() {
  int32_t id = static_cast<int32_t>(random() % 9) - 4, rise = 1 + random() % 60;
  for (int32_t &each : memory.ids)
    each = random() % rise == 0 ? id += 1 + random() % 2 : id;
  for (int32_t &each : memory.starts)
    each = static_cast<int32_t>(random() % (random() % 2 ? 180 : 3)) - 10;
  if (random() % 8 == 0)
    std::fill_n(memory.ids.begin(), random() % 20, INT32_MIN);
  if (random() % 8 == 0)
    std::fill_n(memory.ids.rbegin(), 650 + random() % 100, INT32_MAX);
  if (random() % 8 == 0)
    memory.starts[random() % 100] = random() % 2 ? INT32_MIN : INT32_MAX;
}

//===-- many programs ------------------------------------------------------------===//

void Property::trySizes(const Predicate &predicate, Setting setting, int64_t rows, int64_t keys) {
  Case sizes = {rows, keys, setting == Setting::AlignStart ? 0 : keys - rows, 0, 0, keys, 0};
  if (setting == Setting::Positions || setting == Setting::PackedAtPositions) {
    sizes.rowPosition = static_cast<int64_t>(random() % 201) - 100;
    sizes.keyPosition = static_cast<int64_t>(random() % 201) - 100;
  }
  static constexpr int64_t parameters[] = {
      0, 1, 5, 33, 64, 127, -3, int64_t(1) << 40, -(int64_t(1) << 40), INT64_MAX, INT64_MIN};
  if (predicate.usesParameter)
    sizes.p = parameters[random() % std::size(parameters)];
  memory.lens[0] = static_cast<int32_t>(random() % 180) - 10;
  drawMemory();
  if (random() % 16 == 0)
    memory.lens[0] = random() % 2 ? INT32_MAX : INT32_MIN;
  Picture picture(predicate, sizes, memory);
  for (Compiled &each : compiled) {
    Case part = sizes;
    if (setting == Setting::Part) {
      int64_t step = each.tile.columns, tiles = (keys + step - 1) / step;
      part.from = step * static_cast<int64_t>(random() % (tiles + 1));
      part.to = std::min(keys, part.from + step * static_cast<int64_t>(random() % 3));
      part.from = std::min(part.from, tiles * step);
    }
    where = llvm::formatv(
        "{0}, {1}, tile {2}x{3}, {12} packed, {4} rows, {5} keys, positions {6} and {7}, p {8}, lens {9}, [{10}, {11})",
        predicate.name, kSettingNames[static_cast<int>(setting)], each.tile.rows, each.tile.columns, rows, keys,
        sizes.rowPosition, sizes.keyPosition, sizes.p, memory.lens[0], part.from, part.to, each.tile.packed);
    for (int64_t row = 0; row < rows * each.tile.packed; row += each.tile.rows)
      tryProgram(predicate, each, part, picture, row);
    for (Bounds *bounds : {each.trimmed.get(), each.split.get()})
      if (bounds && !bounds->fault.empty())
        fault(std::exchange(bounds->fault, ""));
  }
}

void Property::tryPredicate(const Predicate &predicate, Setting setting) {
  compiled.clear();
  where = predicate.name;
  for (Tile tile : tilesOf(setting))
    compiled.push_back(compile(predicate, setting, tile));
  static constexpr int64_t rowCounts[] = {1, 2, 15, 17, 40, 63, 64, 65, 100, 128, 129, 150};
  for (int64_t keys = 0; keys <= 150; ++keys)
    trySizes(predicate, setting, rowCounts[random() % std::size(rowCounts)], keys);
  for (int64_t rows = 1; rows <= 150; rows += 1 + random() % 3)
    trySizes(predicate, setting, rows, random() % 151);
  if (predicate.isListed)
    tryLists(predicate, setting);
  trySizes(predicate, setting, 300, 700);
  trySizes(predicate, setting, 700, 300);
}

/// Some tiles and lengths: a list is executed, step by step.
void Property::tryLists(const Predicate &predicate, Setting setting) {
  std::vector<Compiled> others = std::move(compiled);
  compiled.clear();
  for (int i = 0; i < 3; ++i)
    compiled.push_back(compile(predicate, setting, tilesOf(setting)[random() % tilesOf(setting).size()], true));
  for (int draw = 0; draw < 12; ++draw)
    trySizes(predicate, setting, 1 + random() % 200, random() % 400);
  compiled = std::move(others);
}

/// Lengths at the end of what is allowed: no index may leave 32 bits. Pairs are drawn at random.
void Property::tryHuge(const Predicate &predicate) {
  constexpr int64_t most = (int64_t(1) << 30) - 1;
  auto upTo = [&](int64_t number) { return static_cast<int64_t>(random() % (number + 1)); };
  for (int round = 0; round < 40; ++round) {
    Compiled &each = compiled[round % compiled.size()];
    Case sizes = {most / each.tile.packed - upTo(200),     most - upTo(200), 0, 0, 0, 0,
                  predicate.usesParameter ? upTo(most) : 0};
    sizes.to = sizes.keys;
    sizes.rowPosition = sizes.keys - sizes.rows;
    memory.lens[0] = static_cast<int32_t>(round % 2 ? most : upTo(most));
    int64_t lastRow = sizes.rows * each.tile.packed - 1;
    int64_t row = (round % 3 ? lastRow : upTo(lastRow)) / each.tile.rows * each.tile.rows;
    Loop loop = each.trimmed->run(argumentsOf(each, sizes, row), memories).front();
    where = llvm::formatv("{0}, huge, row {1} of {2}, {3} keys, p {4}", predicate.name, row, sizes.rows, sizes.keys,
                          sizes.p);
    for (int draw = 0; draw < 60; ++draw) {
      int64_t r = std::min(lastRow, row + upTo(each.tile.rows - 1)) / each.tile.packed;
      int64_t c = draw % 2 ? upTo(sizes.keys - 1) : std::clamp(r - 100 + upTo(200), int64_t(0), sizes.keys - 1);
      int64_t t = c / each.tile.columns;
      bool visible = predicate.holds({r, c, sizes.rowPosition + r, c, sizes.p, memory});
      if (visible && (t < loop.first || t >= loop.end))
        fault("a visible pair is not visited");
      if (!visible && t >= loop.freeFrom && t < loop.freeTo)
        fault("a hidden pair is in a free tile");
    }
    if (!each.trimmed->fault.empty())
      fault(std::exchange(each.trimmed->fault, ""));
  }
}

void Property::tryRandom() {
  for (int round = 0; round < 150; ++round) {
    Predicate predicate = randomPredicate(random);
    Setting setting = kSettings[round % std::size(kSettings)];
    compiled.clear();
    where = predicate.name;
    for (size_t i = 0; i < 3; ++i)
      compiled.push_back(compile(predicate, setting, tilesOf(setting)[random() % tilesOf(setting).size()]));
    for (int draw = 0; draw < 40; ++draw)
      trySizes(predicate, setting, 1 + random() % 150, random() % 151);
    if (setting == Setting::AlignEnd || setting == Setting::Packed)
      tryHuge(predicate);
  }
}

/// Masks that say the same give the same code.
void Property::trySpellings() {
  auto codeOf = [&](const std::string &name) {
    auto predicate = llvm::find_if(predicates(), [&](const Predicate &each) { return each.name == name; });
    Compiled result = compile(*predicate, Setting::AlignEnd, {64, 64});
    std::string text;
    llvm::raw_string_ostream stream(text);
    result.trimmedModule->lookupSymbol("kernel")->print(stream);
    return text;
  };
  for (const auto &group : spellings())
    for (const std::string &name : group) {
      where = name;
      if (codeOf(name) != codeOf(group.front()))
        fault("compiles differently from " + group.front());
    }
}

int Property::run() {
  auto begin = std::chrono::steady_clock::now();
  for (const Predicate &predicate : predicates()) {
    for (Setting setting : kSettings) {
      tryPredicate(predicate, setting);
      if ((setting == Setting::AlignEnd || setting == Setting::Packed) && !predicate.readsRows)
        tryHuge(predicate);
    }
  }
  tryRandom();
  trySpellings();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "%zu masks, %ld programs, %ld tiles in %.1f s: %ld visited of %ld with visible pairs, %ld free of %ld that "
      "are, %ld lists\n%ld faults\n",
      predicates().size(), totals.programs, totals.tiles, seconds, totals.visited, totals.visible, totals.free,
      totals.fullyVisible, totals.lists, totals.faults);
  return totals.faults != 0;
}

} // namespace

int main() { return Property().run(); }
