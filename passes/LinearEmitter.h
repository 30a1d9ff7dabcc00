// SPDX-License-Identifier: Apache-2.0
// Linear expressions as arithmetic on index, in 64 bits only where 32 might not hold them.
#pragma once

#include "mlir/IR/Builders.h"
#include "passes/Inequalities.h"

namespace attn {

/// Magnitude that no position, length or index of a sequence reaches.
inline constexpr int64_t kFarAway = int64_t(1) << 30;

/// Columns first <= c < end; null bounds are none. Empty unless `condition` (if any) holds.
struct Columns {
  mlir::Value first, end, condition;
};

/// An index of tile level is a 32-bit integer in the end. A value this class returns is an index that fits, or an i64
/// where a sum of what it knows might not; both kinds may be mixed in its operations.
class LinearEmitter {
public:
  LinearEmitter(mlir::OpBuilder &builder, mlir::Location location, const Inequalities &system)
      : builder(builder), location(location), system(system) {}

  /// Without it a variable is taken to be of magnitude kFarAway at most.
  void setRange(unsigned variable, int64_t lowest, int64_t highest) { ranges[variable] = {lowest, highest}; }
  /// Two variables whose sum is a position, so also of moderate magnitude.
  void addPosition(unsigned first, unsigned second) { positions.push_back(std::minmax(first, second)); }

  mlir::Value emit(const Linear &linear);
  /// The interval's bounds, and when it is not empty as far as its own conditions say.
  Columns emit(const Interval &interval);
  mlir::Value constant(int64_t number, bool wide = false);
  mlir::Value add(mlir::Value value, int64_t number);
  mlir::Value floorDivide(mlir::Value value, int64_t divisor);
  mlir::Value ceilDivide(mlir::Value value, int64_t divisor);
  mlir::Value least(mlir::Value a, mlir::Value b);
  mlir::Value clamp(mlir::Value value, int64_t lowest, int64_t highest);
  mlir::Value greatest(mlir::Value a, mlir::Value b);
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value notNegative(mlir::Value value);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value both(mlir::Value a, mlir::Value b); // either may be null, which is true
  /// An index again: what is far away becomes kFarAway.
  mlir::Value index(mlir::Value value);

private:
  using Range = std::pair<int64_t, int64_t>;
  struct Step {
    unsigned variable;
    int64_t coefficient;
  };
  Range rangeOf(unsigned variable) const;
  llvm::SmallVector<Step> order(const Linear &linear) const;
  bool fitsInt32(llvm::ArrayRef<Step> steps, int64_t constant) const;
  mlir::Value wide(mlir::Value value);
  void unify(mlir::Value &a, mlir::Value &b);
  template <typename Op> mlir::Value binary(mlir::Value a, mlir::Value b);
  template <typename Op> mlir::Value binary(mlir::Value a, int64_t b) {
    return binary<Op>(a, constant(b, !a.getType().isIndex()));
  }

  mlir::OpBuilder &builder;
  mlir::Location location;
  const Inequalities &system;
  llvm::DenseMap<unsigned, Range> ranges;
  llvm::SmallVector<std::pair<unsigned, unsigned>> positions;
  std::map<std::tuple<llvm::StringRef, void *, void *>, mlir::Value> known; // what was computed already
};

} // namespace attn
