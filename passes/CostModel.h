// SPDX-License-Identifier: Apache-2.0
// What a choice of tiles costs on a target: what it occupies, what it moves, what it takes. The one place where such
// numbers are computed, so that the choice, its explanation and its refusals agree.
#pragma once

#include "dialect/Target.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace attn {

/// What a kernel is, as far as its cost depends on it. Elements of queries, keys and values have 16 bits.
struct KernelShape {
  int64_t headDimQk = 0;        ///< columns of queries and keys
  int64_t headDimV = 0;         ///< columns of values and output
  bool masks = false;           ///< the kernel has a mask function
  int64_t scoreOperations = 0;  ///< operations of score functions for each score
  bool loadsByKey = false;      ///< a score function reads memory for each key or each score
  bool listed = false;          ///< a mask asks which columns are in a list
  bool walksTwice = false;      ///< a function changes weights that must be known before
  bool decode = false;          ///< few rows to each key head: bound by reading keys, which programs share
  int64_t heads = 1;            ///< of the queries
  int64_t group = 1;            ///< query heads to each key head
  std::optional<int64_t> seqQ;  ///< number of query tokens of a sequence where it is static
  bool gathers = false;         ///< rows are not copied by boxes: their places are looked up, or there are several
  bool listedPositions = false; ///< the positions of keys are a list, or those of some
  std::optional<int64_t> seqKv; ///< number of keys of a sequence where it is static
};

/// Tiles that a list can name: with more in range, all are visited. A list is 2.3 KB of shared memory.
inline constexpr int64_t mostListedTiles = 1024;

/// The numbers of a schedule; 0 is what nobody has chosen yet.
struct Tiles {
  int64_t blockQ = 0, blockKv = 0, numStages = 0, numWarps = 0;
  int64_t packed = 0; ///< heads of a group in the rows of a tile
  bool operator==(const Tiles &) const = default;
};

/// What tiles cost. Clocks are those that one multiprocessor needs for one tile of scores, block_q x block_kv.
struct Cost {
  int64_t sharedBytes = 0;   ///< dynamic shared memory of a program: Q, and per stage K and V
  int64_t registers = 0;     ///< estimate per thread; those beyond the target's are spilled
  int64_t programsPerSm = 0; ///< how many fit a multiprocessor; 0 if not even one does
  double matrixClocks = 0;   ///< both products
  double softmaxClocks = 0;  ///< exponentials, and arithmetic on scores and output
  double sharedClocks = 0;   ///< operands from shared memory
  double loadClocks = 0;     ///< K and V from L2
  double latencyClocks = 0;  ///< waiting for memory that nothing else fills
  double tileClocks = 0;     ///< all of it, with what overlaps
  double clocksPerScore = 0; ///< tileClocks by the scores that exist: what choices are ranked by
};
Cost costOf(const KernelShape &shape, const Tiles &tiles, const Target &target);

/// Head dimensions as they lie in tiles: a matrix instruction contracts 16 columns at a time.
int64_t paddedHeadDim(int64_t headDim);

/// Registers of a thread of the loading warpgroup and of the computing ones: together they fill the 65536 of a
/// multiprocessor, and each is a multiple of 8, as setmaxnreg wants it.
struct RoleRegisters {
  int64_t load, compute;
};
RoleRegisters warpgroupRegisters(int64_t computeWarps);

/// Whether whole warpgroups multiply these tiles: 64 rows for each four warps, on a target that has the instruction,
/// and whole tokens, in rows that boxes can copy.
bool servesWarpgroups(const KernelShape &shape, const Tiles &tiles, const Target &target);

/// Bounds on what can be written in schedule<...>.
struct TileLimits {
  static constexpr int64_t rowsPerWarp = 16; ///< block_q is a multiple of this times num_warps
  static constexpr int64_t blockKvStep = 16;
  static constexpr int64_t maxBlockQ = 256, maxBlockKv = 256, maxStages = 4, maxSplits = 256;
  static constexpr int64_t numWarps[] = {1, 2, 4, 8, 12};
};

/// Why a choice was made.
enum class Origin : uint8_t { Given, Tuned, Model };

struct Choice {
  Tiles tiles;
  Origin origin = Origin::Model;
  Cost cost;
  int64_t numSplits = 0; ///< decode: most shares of a sequence
  int64_t leastKeys = 0; ///< decode: of a share but the last
  int64_t programs = 0;  ///< stream_k: most programs that share the tiles of all keys
};

/// Completes `given`. Tuned rows that agree with it and run on the target as they did where they were tuned are taken
/// first, then the cheapest candidate of the model that needs no spills, then, where what is given allows none, the
/// cheapest that runs at all. Without any, nothing. The heads of a group are packed where the number of tokens is
/// static and a tile's rows are used better by more than a tenth, as FlashAttention-3 does it.
std::optional<Choice> chooseTiles(const KernelShape &shape, const Tiles &given, const Target &target);

/// Whether the shared memory of a program is enough.
bool fitsShared(const Cost &cost, const Target &target);
/// Whether the registers of a thread are enough: with spills, not too many, where the user's own numbers ask for it.
bool fitsRegisters(const Cost &cost, const Target &target, bool withSpills);

/// The candidate with what is given that needs the least shared memory, then the fewest registers.
Tiles smallestTiles(const KernelShape &shape, const Tiles &given, const Target &target);

} // namespace attn
