// SPDX-License-Identifier: Apache-2.0
// Ranks tiles for few queries by how fast they let keys stream in, and says how many programs share a sequence.
#include "passes/DecodeCost.h"

#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <tuple>

namespace attn {
namespace {

/// By Little's law 4.8 TB/s at 800 ns are 29 KB in flight on each of 132 multiprocessors (A100: 12 KB). Twice that, so
/// that a program that waits for its first keys or writes its last rows leaves no gap.
constexpr double bytesInFlight = 64 * 1024;

/// Clocks of a tile in which a program computes without a product: the await, two rounds of shuffles for maximum and
/// sum, exponentials and conversions, each behind the one before.
constexpr double chainOfTile = 700;
constexpr int64_t schedulers = 4; ///< each has a quarter of the matrix rate

/// A share costs a program start, a ring to fill, and rows of f32 to be written and read again: about a microsecond.
/// 256 keys of 512 bytes are 128 KB, 3.6 us of one multiprocessor's part of 4.8 TB/s.
constexpr int64_t leastKeys = 256;
/// Programs on each multiprocessor that one sequence should be enough for, and the most shares for it: each is one more
/// step of the merge.
constexpr int64_t programsAimedAt = 2, mostChosenShares = 64;

/// Bytes of keys and values to one key.
double bytesPerKey(const KernelShape &shape) { return 2.0 * double(shape.headDimQk + shape.headDimV); }

/// Rows that one program can have work for; a number of tokens that is not known counts as one.
int64_t rowsOf(const KernelShape &shape, int64_t packed) {
  return packed * std::max<int64_t>(1, shape.seqQ.value_or(1));
}

/// Programs of one sequence that a multiprocessor has at a time; those of others only come on top.
int64_t residentOf(const Cost &cost) { return std::min(cost.programsPerSm, programsAimedAt); }

/// Of K and V tiles of all stages one is computed with while the others fly.
double flying(const KernelShape &shape, const Tiles &tiles, const Cost &cost) {
  double buffers = 2.0 * double(tiles.numStages) - 1;
  return buffers / 2 * double(tiles.blockKv) * bytesPerKey(shape) * double(residentOf(cost));
}

/// Clocks of a multiprocessor for one key: what memory gives it, or what its programs compute in turns.
double clocksPerKey(const KernelShape &shape, const Tiles &tiles, const Cost &cost, const Target &target) {
  double memory = bytesPerKey(shape) / (double(target.hbmBytesPerSecond) / double(target.sms) / double(target.clockHz));
  double programs = double(residentOf(cost)), warps = double(tiles.numWarps) * programs;
  double products = cost.matrixClocks * std::max(1.0, schedulers / warps) * programs;
  double compute = (chainOfTile + products) / programs / double(tiles.blockKv);
  return std::max(memory, compute);
}

} // namespace

void forEachDecodeCandidate(const KernelShape &shape, const Tiles &given,
                            llvm::function_ref<void(const Tiles &)> visit) {
  int64_t packed = given.packed ? given.packed : shape.group; // else each head would read the keys again
  int64_t rows = given.blockQ ? given.blockQ : rowsOf(shape, packed), warps = given.numWarps;
  // A warp has 16 rows; more warps only for more rows, because each reads all keys from shared memory.
  for (warps = warps ? warps : 1; !given.numWarps && warps < 4 && 16 * warps < rows; warps *= 2)
    if (given.blockQ % (32 * warps))
      break;
  int64_t blockQ = given.blockQ ? given.blockQ : TileLimits::rowsPerWarp * warps;
  for (int64_t blockKv : {16, 32, 64, 128})
    for (int64_t numStages = 1; numStages <= TileLimits::maxStages; ++numStages)
      if ((!given.numStages || given.numStages == numStages) && (!given.blockKv || blockKv == 16))
        visit({blockQ, given.blockKv ? given.blockKv : blockKv, numStages, warps, packed});
}

std::optional<Choice> chooseDecodeTiles(const KernelShape &shape, const Tiles &given, const Target &target) {
  std::optional<Choice> best;
  // Enough bytes in flight, then clocks, both where a tenth or a twentieth less is no difference; then the smaller
  // rings, which leave room for programs of other sequences, and the smaller code. Where no tile has registers enough,
  // two stages: the remainder of a fill number by more takes the few that 256 columns with every function lack; one,
  // which has no remainder, where lists are asked as well.
  auto rank = [&](const Choice &choice) {
    int64_t spilled = std::max<int64_t>(0, choice.cost.registers - target.registersPerThread);
    double missing = std::max(0.0, 1 - flying(shape, choice.tiles, choice.cost) / bytesInFlight);
    double clocks = clocksPerKey(shape, choice.tiles, choice.cost, target);
    bool alone = residentOf(choice.cost) < programsAimedAt;
    int64_t stages = spilled ? std::max<int64_t>(choice.tiles.numStages, shape.listed ? 1 : 2) : 0;
    return std::tuple(spilled, stages, alone, std::round(missing * 10), std::round(std::log(clocks) * 20),
                      choice.cost.sharedBytes, choice.tiles.blockKv);
  };
  forEachDecodeCandidate(shape, given, [&](const Tiles &tiles) {
    bool all = given.blockQ && given.blockKv && given.numStages && given.numWarps;
    Choice choice{tiles, all ? Origin::Given : Origin::Model, costOf(shape, tiles, target)};
    if (choice.cost.programsPerSm > 0 && (!best || rank(choice) < rank(*best)))
      best = choice;
  });
  return best;
}

void chooseShares(const KernelShape &shape, int64_t numSplits, const Target &target, Choice &choice) {
  // Who writes a number of shares gets them as soon as there are tiles for them.
  choice.leastKeys = numSplits ? choice.tiles.blockKv : llvm::alignTo(leastKeys, choice.tiles.blockKv);
  if (!numSplits) {
    numSplits = llvm::divideCeil(target.sms * residentOf(choice.cost), shape.heads / choice.tiles.packed);
    numSplits = std::clamp<int64_t>(numSplits, 1, mostChosenShares);
  }
  if (shape.seqKv)
    numSplits = std::min<int64_t>(numSplits, llvm::divideCeil(std::max<int64_t>(*shape.seqKv, 1), choice.leastKeys));
  choice.numSplits = numSplits;
}

void choosePrograms(const Target &target, Choice &choice) { choice.programs = target.sms * residentOf(choice.cost); }

} // namespace attn
