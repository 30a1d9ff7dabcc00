// SPDX-License-Identifier: Apache-2.0
// The cost of tiles, and the choice that follows from it.
#include "passes/CostModel.h"

#include "dialect/Tile.h"
#include "passes/DecodeCost.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace attn {
namespace {

// Properties that every multiprocessor since sm_80 shares, so no column of the chip table.
constexpr double sharedBytesPerClock = 128; // 32 banks of 4 bytes
constexpr double l2BytesPerClock = 32;      // what a multiprocessor gets when all of them read at once
constexpr double memoryLatency = 600;       // clocks from the issue of a copy to its arrival
constexpr int64_t schedulers = 4;           // each issues for its own warps
constexpr int64_t registerGranule = 8;      // registers of a thread are handed out by eights

// Registers that neither scores nor output take: operands in flight (A 8, B 4 a pair, several pairs ahead), addresses,
// loop bounds, constants. Fitted to what ptxas says of our kernels: with scores and output of 192 registers together it
// spills 130 to 220 bytes (128x64x128 and 128x128x64 on 4 warps), with 160 (128x32x128, 64x64x256) it spills none.
constexpr int64_t fixedRegisters = 56;
constexpr int64_t registersOfScoreFunction = 28;
constexpr int64_t registersOfLongFunction = 40; // of more operations than this:
constexpr int64_t longFunction = 5;
// Where heads share a tile, what a function makes of the head is another one for each row. 128x64x64 on 4 warps spills
// 12 to 184 bytes of what slopes take.
constexpr int64_t registersOfHeadPerRow = 8;
// Functions that read memory for each key: what a row keeps for them, and three registers and a third for each score,
// because the assembler begins more loads than it needs. Fitted to the same aim: 64x32x192 on 4 warps spills 8 bytes
// for some of them, 64x16x256 none.
constexpr int64_t registersOfLoads = 24, registersOfLoadsPerRow = 3, registersOfThreeLoads = 10;
// Masks that ask lists: bisection, and a bit for each column of a row.
constexpr int64_t registersOfLists = 24;
// Rows of keys that lie anywhere: two registers for the address of each copy, and a few to find it. 128x64x256 on 8
// warps spills 8 to 16 bytes of them, 128x48x256 none.
constexpr int64_t registersOfCopy = 2, registersOfGather = 4;
// Positions of keys that are a list, one to be read for each key. 128x112x64 of warpgroups spills 12 bytes beside
// functions that read memory, too; 128x96x64 none.
constexpr int64_t registersOfPositions = 32;
/// Where the user's own numbers leave no other choice, this many times the registers of a thread may be needed.
constexpr double mostSpilled = 1.5;

/// What `mma.sync` reaches of the matrix rate on chips that have `wgmma`.
constexpr double olderInstructions = 0.62;

/// f32 operations per score: multiply-add into the exponent, maximum, sum, half of a conversion of two.
constexpr double operationsPerScore = 3.5;
/// More of them for a function of the score; what it really does is not looked at.
constexpr double operationsPerModifiedScore = 8;

int64_t rowsPerThread(const Tiles &tiles) {
  // Of an accumulator's 16 rows a thread has two.
  return tiles.blockQ / tiles.numWarps / 8;
}

/// `threeLoads` registers for each three scores whose function reads memory.
int64_t registersOfFunctions(const KernelShape &shape, const Tiles &tiles, int64_t scores, int64_t threeLoads) {
  int64_t always = tiles.packed > 1 ? registersOfHeadPerRow * rowsPerThread(tiles) : 0;
  if (shape.listed)
    always += registersOfLists + tiles.blockKv / 32 * rowsPerThread(tiles);
  if (shape.loadsByKey)
    return registersOfLoads + registersOfLoadsPerRow * rowsPerThread(tiles) + scores * threeLoads / 3 + always;
  if (shape.scoreOperations == 0)
    return shape.listed ? always : 0;
  return (shape.scoreOperations > longFunction ? registersOfLongFunction : registersOfScoreFunction) + always;
}

/// What finds the rows that a thread copies of a tile of keys and of one of values, 16 bytes at a time. Decode's tiles
/// are ranked with the registers that the rest of them takes.
int64_t registersOfGathers(const KernelShape &shape, const Tiles &tiles) {
  if (!shape.gathers || shape.decode)
    return 0;
  int64_t bytes = 2 * tiles.blockKv * (paddedHeadDim(shape.headDimQk) + paddedHeadDim(shape.headDimV));
  return registersOfGather + registersOfCopy * (bytes / 16 / (32 * tiles.numWarps));
}

/// The largest number of registers is alive between the products: all scores and the whole output. The weights take
/// half of the place of the scores that they replace one by one, so they add nothing.
int64_t registersOf(const KernelShape &shape, const Tiles &tiles) {
  int64_t rows = tiles.blockQ / tiles.numWarps;
  int64_t scores = rows * tiles.blockKv / 32;
  int64_t output = rows * paddedHeadDim(shape.headDimV) / 32;
  int64_t statistics = 2 * rowsPerThread(tiles); // maximum and sum
  int64_t positions = shape.masks ? rowsPerThread(tiles) : 0;
  return scores + output + statistics + positions + registersOfGathers(shape, tiles) +
         registersOfFunctions(shape, tiles, scores, registersOfThreeLoads) + fixedRegisters;
}

/// The same for whole warpgroups, where the weights of one tile stay until its product is done, beside the scores of
/// the next. Addresses of operands are no registers here, so less comes on top. Fitted to the cases: 128x128 spills up
/// to 64 bytes where functions read memory and the output has 128 columns, 192x128x64 up to 332. Without weights that
/// stay (`scores_ahead`) there is no more room: 192x144x64 is then serialised for want of registers.
int64_t warpgroupRegistersOf(const KernelShape &shape, const Tiles &tiles) {
  constexpr int64_t besides = 20, threeLoads = 2;
  int64_t scores = tiles.blockKv / 2, weights = tiles.blockKv / 4, output = paddedHeadDim(shape.headDimV) / 2;
  return scores + weights + output + 4 + (shape.masks ? 2 : 0) + (shape.listedPositions ? registersOfPositions : 0) +
         registersOfFunctions(shape, tiles, scores, threeLoads) + besides;
}

int64_t sharedOf(const KernelShape &shape, const Tiles &tiles) {
  int64_t qk = paddedHeadDim(shape.headDimQk), v = paddedHeadDim(shape.headDimV);
  int64_t list = shape.listed ? tile::sharedBytesOfList(mostListedTiles) : 0;
  return 2 * (tiles.blockQ * qk + tiles.numStages * tiles.blockKv * (qk + v)) + list;
}

int64_t programsOf(const KernelShape &shape, const Cost &cost, const Tiles &tiles, const Target &target) {
  if (!fitsShared(cost, target) || !fitsRegisters(cost, target, /*withSpills=*/true))
    return 0;
  // Registers move to the warpgroups that compute; what is left is none for a second program.
  if (servesWarpgroups(shape, tiles, target))
    return cost.registers <= warpgroupRegisters(tiles.numWarps).compute ? 1 : 0;
  int64_t byShared = target.sharedPerSm / (cost.sharedBytes + Target::sharedReserved);
  int64_t perThread = llvm::alignTo(std::min(cost.registers, target.registersPerThread), registerGranule);
  int64_t registers = perThread * 32 * tiles.numWarps;
  return std::min(byShared, target.registersPerSm / registers);
}

/// Rows or keys that a tile of `block` spends for each that exists, where the number of them is static.
double waste(std::optional<int64_t> length, int64_t block) {
  if (!length || *length <= 0)
    return 1;
  return double(llvm::alignTo(*length, block)) / double(*length);
}

/// Query rows of a sequence where their number is static: tokens, times the heads that are packed.
std::optional<int64_t> rowsOf(const KernelShape &shape, const Tiles &tiles) {
  return shape.seqQ ? std::optional(*shape.seqQ * std::max<int64_t>(1, tiles.packed)) : std::nullopt;
}

//===-- tuned rows ---------------------------------------------------------===//

/// A choice that was found by measurement, for head dimensions within bounds. It counts only where at least as many
/// programs share a multiprocessor as where it was measured; so a chip with less shared memory takes another row.
struct TunedRow {
  MatrixGeneration generation;
  int64_t minQk, maxQk, minV, maxV;
  Tiles tiles;
  int64_t programsPerSm;
  bool unmasked = false; ///< only for kernels without a mask: a wide tile wastes more at the edge of one
};
constexpr auto mmaSync = MatrixGeneration::MmaSync;
constexpr auto wgmma = MatrixGeneration::Wgmma;

// In order of preference. First round: the tiles that FlashAttention-2 measured on its way to 70 % of the peak, where
// they fit registers: its 128x128 for 64 and 128x64 for 128 columns spill here.
const TunedRow tunedRows[] = {
    // As FlashAttention-3 measured them: 64 rows for each computing warpgroup, two stages. Not measured here yet.
    {wgmma, 1, 64, 1, 64, {192, 128, 2, 12}, 1},
    {wgmma, 97, 128, 97, 128, {128, 176, 2, 8}, 1, /*unmasked=*/true},
    {wgmma, 1, 128, 1, 128, {128, 128, 2, 8}, 1},
    {wgmma, 1, 192, 1, 128, {128, 128, 2, 8}, 1},
    {wgmma, 1, 192, 1, 192, {128, 112, 2, 8}, 1},
    {wgmma, 1, 256, 1, 256, {128, 80, 2, 8}, 1, /*unmasked=*/true},
    {wgmma, 1, 256, 1, 256, {128, 64, 2, 8}, 1},
    {mmaSync, 1, 64, 1, 64, {128, 64, 1, 4}, 2},       // two programs by registers
    {mmaSync, 65, 96, 65, 96, {128, 32, 1, 4}, 2},     // 64 keys spill up to 48 bytes
    {mmaSync, 97, 128, 97, 128, {128, 32, 1, 4}, 2},   // 64 keys spill up to 220 bytes
    {mmaSync, 97, 128, 97, 128, {128, 64, 1, 8}, 1},   // where functions of scores take the registers
    {mmaSync, 129, 192, 65, 128, {128, 64, 1, 8}, 1},  //
    {mmaSync, 129, 192, 129, 192, {128, 64, 1, 8}, 1}, //
    {mmaSync, 193, 256, 193, 256, {64, 64, 1, 4}, 2},  // 96 KB: two programs on 228 KB
    {mmaSync, 193, 256, 193, 256, {128, 64, 1, 8}, 1}, //
    {mmaSync, 193, 256, 193, 256, {64, 64, 1, 4}, 1},  // where a program gets no 128 KB
};

bool agrees(const Tiles &tiles, const Tiles &given) {
  auto same = [](int64_t value, int64_t given) { return given == 0 || value == given; };
  return same(tiles.blockQ, given.blockQ) && same(tiles.blockKv, given.blockKv) &&
         same(tiles.numStages, given.numStages) && same(tiles.numWarps, given.numWarps);
}

std::optional<Choice> tuned(const KernelShape &shape, const Tiles &given, const Target &target) {
  MatrixGeneration generation = shape.gathers ? mmaSync : target.matrix;
  for (const TunedRow &row : tunedRows) {
    if (row.generation != generation || shape.headDimQk < row.minQk || shape.headDimQk > row.maxQk ||
        shape.headDimV < row.minV || shape.headDimV > row.maxV || !agrees(row.tiles, given))
      continue;
    if (row.unmasked && shape.masks)
      continue;
    Tiles tiles = row.tiles;
    tiles.packed = given.packed;
    // A row was tuned on long sequences.
    if (rowsOf(shape, tiles).value_or(tiles.blockQ) < tiles.blockQ ||
        shape.seqKv.value_or(tiles.blockKv) < tiles.blockKv)
      continue;
    Cost cost = costOf(shape, tiles, target);
    if (cost.programsPerSm >= row.programsPerSm && fitsRegisters(cost, target, /*withSpills=*/false))
      return Choice{tiles, Origin::Tuned, cost};
  }
  return std::nullopt;
}

//===-- candidates of the model --------------------------------------------===//

/// Values to try for one number: the given one alone, or all multiples of `step` from `step` on. Steps of eight warps
/// times 16 rows and of 16 keys cover what differs; more than 128 keys only lengthen the code.
llvm::SmallVector<int64_t> values(int64_t given, int64_t step, int64_t last) {
  if (given)
    return {given};
  llvm::SmallVector<int64_t> all;
  for (int64_t value = step; value <= last; value += step)
    all.push_back(value);
  return all;
}

void forEachCandidate(const KernelShape &shape, const Tiles &given, llvm::function_ref<void(const Tiles &)> visit) {
  llvm::SmallVector<int64_t> warps = {4, 8};
  if (shape.decode)
    return forEachDecodeCandidate(shape, given, visit);
  if (given.numWarps)
    warps = {given.numWarps};
  else if (given.blockQ)
    // Fewer warps only where the rows that are asked for are too few.
    warps = {given.blockQ % 64 == 0 ? 4 : given.blockQ % 32 == 0 ? 2 : 1, given.blockQ % 128 == 0 ? 8 : 0};
  int64_t mostKeys = shape.loadsByKey ? 64 : 128; // each load is code of its own
  for (int64_t numWarps : warps) {
    if (numWarps == 0)
      continue;
    for (int64_t blockQ : values(given.blockQ, TileLimits::rowsPerWarp * numWarps, TileLimits::maxBlockQ))
      for (int64_t blockKv : values(given.blockKv, TileLimits::blockKvStep, mostKeys))
        for (int64_t numStages : values(given.numStages, 1, 2))
          visit({blockQ, blockKv, numStages, numWarps, given.packed});
  }
}

} // namespace

int64_t paddedHeadDim(int64_t headDim) { return llvm::alignTo(headDim, 16); }

RoleRegisters warpgroupRegisters(int64_t computeWarps) {
  switch (computeWarps / 4) {
  case 1:
    return {56, 256};
  case 2:
    return {24, 240};
  default:
    return {32, 160};
  }
}

bool servesWarpgroups(const KernelShape &shape, const Tiles &tiles, const Target &target) {
  return !shape.gathers && !shape.decode && target.matrix == MatrixGeneration::Wgmma && tiles.numWarps % 4 == 0 &&
         tiles.blockQ == 16 * tiles.numWarps && tiles.blockQ % std::max<int64_t>(1, tiles.packed) == 0;
}

bool fitsShared(const Cost &cost, const Target &target) { return cost.sharedBytes <= target.sharedPerProgram; }

bool fitsRegisters(const Cost &cost, const Target &target, bool withSpills) {
  return double(cost.registers) <= double(target.registersPerThread) * (withSpills ? mostSpilled : 1);
}

// The model is of one multiprocessor in the middle of a long row: Q is there, K and V pass by once per row of tiles
// and come from L2, because programs that run together walk the keys of the same head. A tile costs
//
//   max(shared, load, max(matrix, softmax) + exposed * min(matrix, softmax)) + latency
//
// Only another warp of the same scheduler can compute softmax while the first one's products run, so with w warps a
// scheduler 1/w of the shorter part stays exposed. Each warp reads all of K and V from shared memory: that is why four
// warps of 32 rows beat eight of 16. Warpgroups read them once for 64 rows, and overlap by themselves.
//
// Each matrix instruction of a tile is one line of PTX. Their number, block_q/num_warps x block_kv x head_dim, is also
// what the time to compile grows with: 128 x 128 x 64 on four warps has 256 of them. Among equals the smaller wins.
Cost costOf(const KernelShape &shape, const Tiles &tiles, const Target &target) {
  Cost cost;
  cost.sharedBytes = sharedOf(shape, tiles);
  bool warpgroups = servesWarpgroups(shape, tiles, target);
  cost.registers = warpgroups ? warpgroupRegistersOf(shape, tiles) : registersOf(shape, tiles);
  cost.programsPerSm = programsOf(shape, cost, tiles, target);

  double qk = paddedHeadDim(shape.headDimQk), v = paddedHeadDim(shape.headDimV);
  double rows = tiles.blockQ, keys = tiles.blockKv, scores = rows * keys;
  double share = target.matrix == wgmma && !warpgroups ? olderInstructions : 1;
  cost.matrixClocks = 2 * scores * (qk + v) / (target.matrixFlopsPerClock() * share);
  double operations = operationsPerScore + (shape.scoreOperations ? operationsPerModifiedScore : 0);
  cost.softmaxClocks =
      scores / target.exp2PerClock + (scores * operations + rows * v) / target.fp32PerClock; // rescaling the output
  double readers = warpgroups ? tiles.numWarps / 4 : tiles.numWarps;
  cost.sharedClocks = 2 * (rows * qk + readers * keys * (qk + v)) / sharedBytesPerClock;
  cost.loadClocks = 2 * keys * (qk + v) / l2BytesPerClock;

  double warps = std::max<int64_t>(1, cost.programsPerSm) * tiles.numWarps;
  double exposed = warpgroups ? 0 : std::min(1.0, schedulers / warps); // products run beside softmax by themselves
  double compute =
      std::max(cost.matrixClocks, cost.softmaxClocks) + exposed * std::min(cost.matrixClocks, cost.softmaxClocks);
  // With one buffer a copy has the time of one product to arrive; what is left stalls, unless others run meanwhile.
  double wait = std::max(0.0, memoryLatency - (tiles.numStages > 1 ? compute : cost.matrixClocks / 2));
  cost.latencyClocks = wait / std::max<int64_t>(1, cost.programsPerSm);
  cost.tileClocks = std::max({cost.sharedClocks, cost.loadClocks, compute}) + cost.latencyClocks;
  cost.clocksPerScore =
      cost.tileClocks / scores * waste(rowsOf(shape, tiles), tiles.blockQ) * waste(shape.seqKv, tiles.blockKv);
  return cost;
}

/// The better of a tile's rows that are tokens and rows that are heads of a group.
static std::optional<Choice> choosePacked(const KernelShape &shape, const Tiles &given, const Target &target) {
  Tiles one = given, group = given;
  one.packed = 1, group.packed = shape.group;
  std::optional<Choice> apart = chooseTiles(shape, one, target);
  // Rows are counted in 30 bits.
  constexpr int64_t mostRows = int64_t(1) << 30;
  if (shape.group == 1 || !shape.seqQ || *shape.seqQ >= mostRows / shape.group)
    return apart;
  std::optional<Choice> together = chooseTiles(shape, group, target);
  if (!apart || !together)
    return apart ? apart : together;
  // With the same tile this is FlashAttention-3's rule: rows that are used less than 0.9 times as well.
  return together->cost.clocksPerScore < 0.9 * apart->cost.clocksPerScore ? together : apart;
}

std::optional<Choice> chooseTiles(const KernelShape &shape, const Tiles &given, const Target &target) {
  if (shape.decode)
    return chooseDecodeTiles(shape, given, target);
  if (!given.packed)
    return choosePacked(shape, given, target);
  if (given.blockQ && given.blockKv && given.numStages && given.numWarps) {
    Cost cost = costOf(shape, given, target);
    return cost.programsPerSm > 0 ? std::optional(Choice{given, Origin::Given, cost}) : std::nullopt;
  }
  if (auto row = tuned(shape, given, target))
    return row;
  std::optional<Choice> best;
  auto rank = [&](const Choice &choice) {
    // Costs within a percent are equal to a model; then the smaller code and the smaller buffers.
    int64_t spilled = std::max<int64_t>(0, choice.cost.registers - target.registersPerThread);
    return std::tuple(spilled, std::round(std::log(choice.cost.clocksPerScore) * 100),
                      choice.tiles.blockQ / choice.tiles.numWarps * choice.tiles.blockKv, choice.cost.sharedBytes);
  };
  forEachCandidate(shape, given, [&](const Tiles &tiles) {
    Choice choice{tiles, Origin::Model, costOf(shape, tiles, target)};
    if (choice.cost.programsPerSm > 0 && (!best || rank(choice) < rank(*best)))
      best = choice;
  });
  return best;
}

Tiles smallestTiles(const KernelShape &shape, const Tiles &given, const Target &target) {
  Tiles smallest;
  std::pair<int64_t, int64_t> least = {std::numeric_limits<int64_t>::max(), 0};
  forEachCandidate(shape, given, [&](const Tiles &tiles) {
    Cost cost = costOf(shape, tiles, target);
    if (std::pair need = {cost.sharedBytes, cost.registers}; need < least) {
      least = need;
      smallest = tiles;
    }
  });
  return smallest;
}

} // namespace attn
