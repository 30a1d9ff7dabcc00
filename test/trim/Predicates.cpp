// SPDX-License-Identifier: Apache-2.0
// The masks that trimming is tried on.
#include "Predicates.h"

namespace attn::test {

static int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static bool causal(const Pair &at) { return at.kv <= at.q; }

const std::vector<std::vector<std::string>> &spellings() {
  static const std::vector<std::vector<std::string>> groups = {
      {"causal", "causal, difference", "causal, not greater", "causal, strict", "causal, 32-bit", "causal, select",
       "causal, minimum", "causal, doubled", "causal, twice"},
      {"band of constants", "band of constants, absolute"},
  };
  return groups;
}

namespace {

/// Writes a random condition as text and as a function.
class Writer {
public:
  explicit Writer(std::mt19937 &random) : random(random) {}

  using Condition = std::function<bool(const Pair &)>;
  struct Node {
    std::string value;
    Condition holds;
  };

  Node tree(int depth) {
    int choice = depth == 0 ? 0 : upTo(6);
    if (choice <= 1)
      return comparison();
    Node a = tree(depth - 1);
    if (choice == 2)
      return {emit("arith.xori " + a.value + ", %yes : i1"), [=](const Pair &at) { return !a.holds(at); }};
    Node b = tree(depth - 1);
    std::string operands = a.value + ", " + b.value;
    if (choice == 3)
      return {emit("arith.andi " + operands + " : i1"), [=](const Pair &at) { return a.holds(at) && b.holds(at); }};
    if (choice == 4)
      return {emit("arith.ori " + operands + " : i1"), [=](const Pair &at) { return a.holds(at) || b.holds(at); }};
    if (choice == 5)
      return {emit("arith.xori " + operands + " : i1"), [=](const Pair &at) { return a.holds(at) != b.holds(at); }};
    Node c = tree(depth - 1);
    return {emit("arith.select " + operands + ", " + c.value + " : i1"),
            [=](const Pair &at) { return a.holds(at) ? b.holds(at) : c.holds(at); }};
  }

  std::string body = "%yes = arith.constant true  ";

private:
  int upTo(int number) { return static_cast<int>(random() % (number + 1)); }

  std::string emit(const std::string &operation) {
    std::string name = "%x" + std::to_string(count++);
    body += name + " = " + operation + "  ";
    return name;
  }

  Node comparison() {
    static const int factors[] = {1, -1, 1, -1, 0, 2, -3};
    int64_t a = factors[upTo(6)], b = factors[upTo(6)], c = upTo(5) ? 0 : factors[upTo(6)], d = upTo(240) - 120;
    auto times = [&](const char *value, int64_t factor) {
      return emit(std::string("arith.muli ") + value + ", " +
                  emit("arith.constant " + std::to_string(factor) + " : index") + " : index");
    };
    std::string sum = emit("arith.addi " + times("%q", a) + ", " + times("%kv", b) + " : index");
    if (c)
      sum = emit("arith.addi " + sum + ", " + times("%row", c) + " : index");
    std::string bound = emit("arith.constant " + std::to_string(d) + " : index");
    return {emit("arith.cmpi sge, " + sum + ", " + bound + " : index"),
            [=](const Pair &at) { return a * at.q + b * at.kv + c * at.row >= d; }};
  }

  std::mt19937 &random;
  int count = 0;
};

} // namespace

Predicate randomPredicate(std::mt19937 &random) {
  Writer writer(random);
  Writer::Node root = writer.tree(3);
  return {"random: " + writer.body, writer.body + "%v = arith.andi " + root.value + ", %yes : i1", root.holds,
          kNothing};
}

const std::vector<Predicate> &affinePredicates() {
  static const std::vector<Predicate> list = {
      {"all", "%v = arith.constant true", [](const Pair &) { return true; }, kExact},
      {"none", "%v = arith.constant false", [](const Pair &) { return false; }, kExact},

      {"causal", "%v = arith.cmpi sle, %kv, %q : index", causal, kExact},
      {"causal, difference",
       "%d = arith.subi %q, %kv : index  %z = arith.constant 0 : index  %v = arith.cmpi sge, %d, %z : index", causal,
       kExact},
      {"causal, not greater",
       "%g = arith.cmpi sgt, %kv, %q : index  %t = arith.constant true  %v = arith.xori %g, %t : i1", causal, kExact},
      {"causal, strict",
       "%o = arith.constant 1 : index  %n = arith.addi %q, %o : index  %v = arith.cmpi slt, %kv, %n : index", causal,
       kExact},
      {"causal, 32-bit",
       "%a = arith.index_cast %q : index to i32  %c = arith.index_cast %kv : index to i32  "
       "%v = arith.cmpi sge, %a, %c : i32",
       causal, kExact},
      {"causal, select",
       "%g = arith.cmpi sgt, %kv, %q : index  %t = arith.constant true  %f = arith.constant false  "
       "%v = arith.select %g, %f, %t : i1",
       causal, kExact},
      {"causal, minimum", "%m = arith.minsi %kv, %q : index  %v = arith.cmpi eq, %m, %kv : index", causal, kExact},
      {"causal, doubled",
       "%o = arith.constant 1 : index  %a = arith.addi %kv, %kv : index  %c = arith.shli %q, %o : index  "
       "%n = arith.addi %c, %o : index  %v = arith.cmpi sle, %a, %n : index",
       causal, kExact},
      {"causal, twice",
       "%a = arith.cmpi sle, %kv, %q : index  %o = arith.constant 5 : index  %n = arith.addi %q, %o : index  "
       "%c = arith.cmpi sle, %kv, %n : index  %v = arith.andi %c, %a : i1",
       causal, kExact},

      {"strictly earlier", "%v = arith.cmpi slt, %kv, %q : index", [](const Pair &at) { return at.kv < at.q; }, kExact},
      {"later", "%v = arith.cmpi sgt, %kv, %q : index", [](const Pair &at) { return at.kv > at.q; }, kExact},
      {"diagonal", "%v = arith.cmpi eq, %kv, %q : index", [](const Pair &at) { return at.kv == at.q; }, kExact},
      {"off the diagonal", "%v = arith.cmpi ne, %kv, %q : index", [](const Pair &at) { return at.kv != at.q; },
       kVisitsExactly},

      {"window",
       "%c = arith.cmpi sle, %kv, %q : index  %d = arith.subi %q, %kv : index  "
       "%n = arith.cmpi sle, %d, %p : index  %v = arith.andi %c, %n : i1",
       [](const Pair &at) { return at.kv <= at.q && at.q - at.kv <= at.p; }, kExact, true},
      {"window left only", "%d = arith.subi %q, %kv : index  %v = arith.cmpi sle, %d, %p : index",
       [](const Pair &at) { return at.q - at.kv <= at.p; }, kExact, true},
      {"window right only", "%d = arith.subi %kv, %q : index  %v = arith.cmpi slt, %d, %p : index",
       [](const Pair &at) { return at.kv - at.q < at.p; }, kExact, true},
      {"window both ways",
       "%d = arith.subi %q, %kv : index  %a = math.absi %d : index  %v = arith.cmpi sle, %a, %p : index",
       [](const Pair &at) { return at.q - at.kv <= at.p && at.kv - at.q <= at.p; }, kExact, true},
      {"window of 64 keys",
       "%w = arith.constant 63 : index  %c = arith.cmpi sle, %kv, %q : index  %d = arith.subi %q, %kv : index  "
       "%n = arith.cmpi sle, %d, %w : index  %v = arith.andi %c, %n : i1",
       [](const Pair &at) { return at.kv <= at.q && at.q - at.kv <= 63; }, kExact},
      {"window, unsigned",
       "%w = arith.constant 50 : index  %d = arith.subi %q, %kv : index  %v = arith.cmpi ult, %d, %w : index",
       [](const Pair &at) { return at.q >= at.kv && at.q - at.kv < 50; }, kExact},
      {"band of constants",
       "%l = arith.constant 20 : index  %d = arith.subi %q, %kv : index  %e = arith.subi %kv, %q : index  "
       "%a = arith.cmpi sle, %d, %l : index  %c = arith.cmpi sle, %e, %l : index  %v = arith.andi %a, %c : i1",
       [](const Pair &at) { return at.q - at.kv <= 20 && at.kv - at.q <= 20; }, kExact},
      {"band of constants, absolute",
       "%l = arith.constant 21 : index  %d = arith.subi %q, %kv : index  %a = math.absi %d : index  "
       "%v = arith.cmpi slt, %a, %l : index",
       [](const Pair &at) { return at.q - at.kv <= 20 && at.kv - at.q <= 20; }, kExact},
      {"band that is empty",
       "%o = arith.constant 1 : index  %c = arith.cmpi sle, %kv, %q : index  %n = arith.addi %q, %o : index  "
       "%a = arith.cmpi sge, %kv, %n : index  %v = arith.andi %c, %a : i1",
       [](const Pair &) { return false; }, kExact},

      {"prefix",
       "%l = memref.load %lens[%b] : memref<?xi32>  %n = arith.index_cast %l : i32 to index  "
       "%c = arith.cmpi sle, %kv, %q : index  %a = arith.cmpi slt, %kv, %n : index  %v = arith.ori %c, %a : i1",
       [](const Pair &at) { return at.kv <= at.q || at.kv < at.memory.lens[0]; }, kExact},
      {"prefix, 32-bit",
       "%l = memref.load %lens[%b] : memref<?xi32>  %k = arith.index_cast %kv : index to i32  "
       "%c = arith.cmpi sle, %kv, %q : index  %a = arith.cmpi sgt, %l, %k : i32  %v = arith.ori %a, %c : i1",
       [](const Pair &at) { return at.kv <= at.q || at.kv < at.memory.lens[0]; }, kExact},
      {"own length",
       "%l = memref.load %lens[%b] : memref<?xi32>  %n = arith.index_cast %l : i32 to index  "
       "%o = arith.constant 1 : index  %m = arith.addi %q, %o : index  %e = arith.minsi %m, %n : index  "
       "%v = arith.cmpi slt, %kv, %e : index",
       [](const Pair &at) { return at.kv <= at.q && at.kv < at.memory.lens[0]; }, kExact},
      {"own beginning",
       "%l = memref.load %lens[%b] : memref<?xi32>  %n = arith.index_cast %l : i32 to index  "
       "%c = arith.cmpi sle, %kv, %q : index  %a = arith.cmpi sge, %kv, %n : index  %v = arith.andi %a, %c : i1",
       [](const Pair &at) { return at.kv <= at.q && at.kv >= at.memory.lens[0]; }, kExact},
      {"prefix or window",
       "%s = arith.constant 4 : index  %c = arith.cmpi sle, %kv, %q : index  %d = arith.subi %q, %kv : index  "
       "%n = arith.cmpi sle, %d, %p : index  %k = arith.cmpi slt, %kv, %s : index  %e = arith.ori %n, %k : i1  "
       "%v = arith.andi %c, %e : i1",
       [](const Pair &at) { return at.kv <= at.q && (at.q - at.kv <= at.p || at.kv < 4); }, kVisitsExactly, true},
      {"causal or below 20, not both",
       "%s = arith.constant 20 : index  %c = arith.cmpi sle, %kv, %q : index  %k = arith.cmpi slt, %kv, %s : index  "
       "%v = arith.xori %c, %k : i1",
       [](const Pair &at) { return (at.kv <= at.q) != (at.kv < 20); }, kVisitsExactly},
      {"causal or window by parameter",
       "%z = arith.constant 10 : index  %w = arith.constant 30 : index  %u = arith.cmpi slt, %p, %z : index  "
       "%c = arith.cmpi sle, %kv, %q : index  %d = arith.subi %kv, %q : index  %n = arith.cmpi sle, %d, %w : index  "
       "%v = arith.select %u, %c, %n : i1",
       [](const Pair &at) { return at.p < 10 ? at.kv <= at.q : at.kv - at.q <= 30; }, kExact, true},
      {"shifted by parameter",
       "%z = arith.constant 10 : index  %u = arith.cmpi slt, %p, %z : index  %o = arith.constant 7 : index  "
       "%n = arith.subi %q, %o : index  %s = arith.select %u, %q, %n : index  %v = arith.cmpi sle, %kv, %s : index",
       [](const Pair &at) { return at.kv <= (at.p < 10 ? at.q : at.q - 7); }, kExact, true},

      {"far in front",
       "%l = arith.constant 1099511627776 : index  %n = arith.addi %q, %l : index  %v = arith.cmpi sle, %kv, %n : "
       "index",
       [](const Pair &) { return true; }, kExact},
      {"far behind",
       "%l = arith.constant 4611686018427387904 : index  %n = arith.subi %q, %l : index  "
       "%v = arith.cmpi sle, %kv, %n : index",
       [](const Pair &) { return false; }, kExact},
      {"window of 2^31 keys",
       "%l = arith.constant 2147483647 : index  %d = arith.subi %q, %kv : index  %a = math.absi %d : index  "
       "%v = arith.cmpi sle, %a, %l : index",
       [](const Pair &) { return true; }, kExact},

      {"half of the past",
       "%t = arith.constant 2 : index  %k = arith.muli %kv, %t : index  %v = arith.cmpi sle, %k, %q : index",
       [](const Pair &at) { return 2 * at.kv <= at.q; }, kExact},
      {"slope 3/2",
       "%t = arith.constant 2 : index  %s = arith.constant 3 : index  %k = arith.muli %kv, %t : index  "
       "%r = arith.muli %q, %s : index  %v = arith.cmpi sle, %k, %r : index",
       [](const Pair &at) { return 2 * at.kv <= 3 * at.q; }, kExact},
      {"mirrored",
       "%s = arith.constant 100 : index  %a = arith.addi %kv, %q : index  %v = arith.cmpi sle, %a, %s : index",
       [](const Pair &at) { return at.kv + at.q <= 100; }, kExact},
      {"chunks",
       "%n = arith.constant 24 : index  %a = arith.floordivsi %q, %n : index  %c = arith.floordivsi %kv, %n : index  "
       "%v = arith.cmpi eq, %a, %c : index",
       [](const Pair &at) { return floorDiv(at.q, 24) == floorDiv(at.kv, 24); }, kExact},
      {"causal chunks",
       "%n = arith.constant 5 : index  %a = arith.shrsi %q, %n : index  %c = arith.shrsi %kv, %n : index  "
       "%e = arith.cmpi eq, %a, %c : index  %f = arith.cmpi sle, %kv, %q : index  %v = arith.andi %e, %f : i1",
       [](const Pair &at) { return floorDiv(at.q, 32) == floorDiv(at.kv, 32) && at.kv <= at.q; }, kExact},
      {"causal by blocks",
       "%n = arith.constant 16 : index  %a = arith.ceildivsi %q, %n : index  %c = arith.ceildivsi %kv, %n : index  "
       "%v = arith.cmpi sge, %a, %c : index",
       [](const Pair &at) { return floorDiv(at.q + 15, 16) >= floorDiv(at.kv + 15, 16); }, kExact},

      {"indices, not positions", "%v = arith.cmpi sle, %column, %row : index",
       [](const Pair &at) { return at.column <= at.row; }, kExact},
      {"early rows", "%n = arith.constant 40 : index  %v = arith.cmpi slt, %row, %n : index",
       [](const Pair &at) { return at.row < 40; }, kExact},
      {"rows from 70 or columns from 30",
       "%n = arith.constant 70 : index  %m = arith.constant 30 : index  %r = arith.cmpi sge, %row, %n : index  "
       "%c = arith.cmpi sge, %column, %m : index  %v = arith.ori %r, %c : i1",
       [](const Pair &at) { return at.row >= 70 || at.column >= 30; }, kExact},

      {"even keys",
       "%t = arith.constant 2 : index  %z = arith.constant 0 : index  %r = arith.remsi %kv, %t : index  "
       "%v = arith.cmpi eq, %r, %z : index",
       [](const Pair &at) { return at.kv % 2 == 0; }, kNothing},
      {"causal even keys",
       "%t = arith.constant 2 : index  %z = arith.constant 0 : index  %r = arith.remsi %kv, %t : index  "
       "%e = arith.cmpi eq, %r, %z : index  %c = arith.cmpi sle, %kv, %q : index  %v = arith.andi %e, %c : i1",
       [](const Pair &at) { return at.kv % 2 == 0 && at.kv <= at.q; }, kNothing},
      {"causal or even keys",
       "%t = arith.constant 2 : index  %z = arith.constant 0 : index  %r = arith.remsi %kv, %t : index  "
       "%e = arith.cmpi eq, %r, %z : index  %c = arith.cmpi sle, %kv, %q : index  %v = arith.ori %e, %c : i1",
       [](const Pair &at) { return at.kv % 2 == 0 || at.kv <= at.q; }, kNothing},
      {"product of positions",
       "%n = arith.constant 900 : index  %a = arith.muli %kv, %q : index  %v = arith.cmpi sle, %a, %n : index",
       [](const Pair &at) { return at.kv * at.q <= 900; }, kNothing},
  };
  return list;
}

} // namespace attn::test
