// SPDX-License-Identifier: Apache-2.0
// The one table of what correctness cases vary, and the lists of cases that are made from it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace attn::cases {

/// What varies. The order is that of the table in Axes.cpp; the first value of each axis is the plain one.
enum Axis : unsigned {
  ElementType,
  Lengths,
  HeadDim,
  Heads,
  Batch,
  Causal,
  Align,
  Window,
  UserMask,
  Softcap,
  Alibi,
  UserScore,
  Scale,
  Sink,
  Lse,
  Lens,
  Layout,
  Data,
  Packed,
  Schedule,
  PlainCount,            ///< those above vary together in pairwise()
  KeyPlace = PlainCount, ///< where keys and values live
  QueryPlace,            ///< where queries live and stand
  Listed,                ///< a mask that asks lists
  Reweight,              ///< what becomes of weights after softmax
  MaskKind,              ///< a mask of the library, or one that reads a tensor
  Bias,                  ///< a tensor that is added to scores
  Output,                ///< the type of the result
  Step,                  ///< what a launch does beside attention
  /// Which weights are added up, beside an output or alone: `counted` are rows from one on, `sampled` those of a list,
  /// `combed` pairs of rows and keys; `near` has few cells.
  Sums,
  AxisCount
};

/// What the values of an axis are to one who reads the support matrix.
enum class Topic : uint8_t { Data, Sizes, Mask, Score, Keys, Queries, Schedule, Result, Count };

struct AxisRow {
  std::string_view name;
  std::vector<std::string_view> values;
  Topic topic = Topic::Data;
  /// What the matrix calls each value; empty where its specs differ from those of another value in a number only.
  std::vector<std::string_view> labels = {};
};

/// The table: one row an axis.
const std::array<AxisRow, AxisCount> &axes();

/// Values that cannot stand together.
struct Rule {
  Axis one;
  std::vector<std::string_view> values;
  Axis other; ///< AxisCount: every value of every axis
  std::vector<std::string_view> otherValues;
  std::string_view sentence; ///< what the compiler's contains; empty: the two say the same thing differently
};

/// Everything that stands in the way of a pair of values, and nothing else does.
const std::vector<Rule> &rules();

/// The rule against two values of different axes, or null.
const Rule *ruleAgainst(unsigned one, unsigned value, unsigned other, unsigned otherValue);

/// Position of a value in its axis; the value must exist.
unsigned valueOf(Axis theAxis, std::string_view value);

/// One point of the product of all axes.
struct Case {
  std::array<uint8_t, AxisCount> at{};
  std::string list;        ///< which list it is from, and its number there: "pair017"
  std::string exact;       ///< "256x353": queries and keys, instead of a value of the axis
  std::string exactDim;    ///< "24" or "64/72", instead of a value of the axis
  std::string exactHeads;  ///< "9x3", instead of a value of the axis
  int64_t sequences = 0;   ///< instead of what the axis of the batch says, if not 0; -1 for none
  bool streamK = false;    ///< the schedule is stream_k, with tiles of 16 keys
  bool accuracy = false;   ///< also runs with the worst approximations and truncating products
  bool manyOrders = false; ///< also runs with one resident block and with two more seeds

  std::string_view value(Axis theAxis) const { return axes()[theAxis].values[at[theAxis]]; }
  bool is(Axis theAxis, std::string_view wanted) const { return value(theAxis) == wanted; }
  bool on(Axis theAxis) const { return at[theAxis] != 0; }

  /// The list, then every value that is not plain: "pair017.f16.113x203.d64.causal".
  std::string name() const;
  /// Depends on the values alone, not on the place in a list.
  uint64_t seed() const;

  /// Whether sums are all that is asked for.
  bool sumsAlone() const { return value(Sums).starts_with("alone"); }
  bool sumsDistances() const { return is(Sums, "distances") || is(Sums, "near"); }
  /// Cells of sums where no tensor of keys says it: some more than there are keys, or few distances.
  int64_t cells() const { return is(Sums, "near") ? keys() / 3 + 1 : keys() + 7; }
  int64_t queries() const;
  int64_t keys() const;
  int64_t headDim() const;
  int64_t valueDim() const;
  int64_t heads() const;
  int64_t keyHeads() const;
  int64_t batch() const;
  /// Entries of a page, where keys lie in pages.
  int64_t pageSize() const;
  /// The type of the result.
  std::string_view outputType() const;
  /// Most shares of a sequence's keys; 0 where the schedule is left to the compiler.
  int64_t splits() const;
  /// Roughly how many products of scores it takes; for an even split of the work.
  double cost() const;
};

/// Cases in dense tensors in which any two values of any two axes meet, found greedily from a fixed seed.
std::vector<Case> pairwise();

/// The pairs that are left: where keys and queries live, and what else a launch does, with every value of every axis.
std::vector<Case> places();

/// Three values that are not plain, of three axes, in small shapes: `count` of them from a seed.
std::vector<Case> triples(uint64_t seed, size_t count);

/// Each feature alone at some lengths, none at all lengths; each head dimension at two lengths.
std::vector<Case> alone();

/// Two and three whole tiles of queries and keys, and one row more and less, for each size of tile that the compiler's
/// tuned rows have on either target.
std::vector<Case> wholeTiles();

/// Heads of a group in the rows of a tile: each group, and few tokens of several heads, with a mask of positions and
/// what differs from head to head.
std::vector<Case> groups();

/// Shares of keys in pages: sizes of pages, numbers of shares, groups of heads, few tokens and what changes scores, any
/// two of them together. Each batch has lengths of 0, 1, a page, and a key more and less.
std::vector<Case> decode();

/// Equal shares of all tiles, wherever they end: each place of keys and of queries, lengths around tiles, few tiles and
/// many, groups of heads and what changes scores, any two of them together.
std::vector<Case> streamed();

/// Masks that ask lists: each kind at lengths around tiles, with every value of the other axes, places and shares.
std::vector<Case> listed();

/// Weights multiplied by numbers per head and key, some of them by 0, and weights that become what no factor makes of
/// them: with what else touches weights, in each place where a program keeps them.
std::vector<Case> weights();

/// Weights that are added up per key or per distance: which of them, in each place, beside an output and alone.
std::vector<Case> sums();

/// Everything that is run by default: pairwise(), alone(), groups(), places(), decode(), streamed(), listed(),
/// weights() and sums(), every eighth of them in many orders.
std::vector<Case> standard();

/// All shapes times no feature, each feature alone, and each two features together.
std::vector<Case> wholeProduct();

} // namespace attn::cases
