// SPDX-License-Identifier: Apache-2.0
// Masks by remainders, and by values that are loaded for rows and columns.
#include "Predicates.h"

namespace attn::test {

static int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static const std::vector<Predicate> remainders = {
    {"every 100th key",
     "%t = arith.constant 100 : index  %z = arith.constant 0 : index  %r = arith.remsi %kv, %t : index  "
     "%v = arith.cmpi eq, %r, %z : index",
     [](const Pair &at) { return at.kv % 100 == 0; }, kNothing, false, true},
    {"last 8 of 96 keys",
     "%t = arith.constant 96 : index  %z = arith.constant 88 : index  %r = arith.remsi %kv, %t : index  "
     "%v = arith.cmpi sge, %r, %z : index",
     [](const Pair &at) { return at.kv % 96 >= 88; }, kNothing, false, true},
    {"first 40 of 80 columns",
     "%t = arith.constant 80 : index  %z = arith.constant 40 : index  %r = arith.remui %column, %t : index  "
     "%v = arith.cmpi slt, %r, %z : index",
     [](const Pair &at) { return at.column % 80 < 40; }, kNothing, false, true},
    {"bits of a key",
     "%t = arith.constant 127 : index  %z = arith.constant 90 : index  %r = arith.andi %kv, %t : index  "
     "%v = arith.cmpi sle, %z, %r : index",
     [](const Pair &at) { return (at.kv & 127) >= 90; }, kNothing, false, true},
    {"blocks of blocks",
     "%n = arith.constant 16 : index  %t = arith.constant 7 : index  %z = arith.constant 3 : index  "
     "%j = arith.floordivsi %kv, %n : index  %r = arith.remsi %j, %t : index  %v = arith.cmpi eq, %r, %z : index",
     [](const Pair &at) { return floorDiv(at.kv, 16) % 7 == 3; }, kNothing, false, true},
    {"dilated",
     "%t = arith.constant 110 : index  %z = arith.constant 0 : index  %d = arith.subi %q, %kv : index  "
     "%r = arith.remsi %d, %t : index  %v = arith.cmpi eq, %r, %z : index",
     [](const Pair &at) { return (at.q - at.kv) % 110 == 0; }, kNothing, false, true},
    {"causal dilated",
     "%t = arith.constant 70 : index  %z = arith.constant 3 : index  %d = arith.subi %q, %kv : index  "
     "%r = arith.remsi %d, %t : index  %e = arith.cmpi eq, %r, %z : index  %c = arith.cmpi sge, %q, %kv : index  "
     "%v = arith.andi %c, %e : i1",
     [](const Pair &at) { return at.kv <= at.q && (at.q - at.kv) % 70 == 3; }, kNothing, false, true},
    {"window or dilated",
     "%t = arith.constant 90 : index  %z = arith.constant 0 : index  %d = arith.subi %q, %kv : index  "
     "%r = arith.remsi %d, %t : index  %e = arith.cmpi eq, %r, %z : index  %w = arith.constant 20 : index  "
     "%c = arith.cmpi ult, %d, %w : index  %v = arith.ori %c, %e : i1",
     [](const Pair &at) { return (at.q >= at.kv && at.q - at.kv < 20) || (at.q - at.kv) % 90 == 0; }, kNothing, false,
     true},
    {"dilated by a parameter",
     "%z = arith.constant 0 : index  %d = arith.subi %q, %kv : index  %r = arith.remsi %d, %p : index  "
     "%v = arith.cmpi eq, %r, %z : index",
     [](const Pair &at) { return at.p ? (at.q - at.kv) % at.p == 0 : at.kv % 2 == 0; }, kNothing, true, true},
    {"remainders below zero",
     "%t = arith.constant 120 : index  %z = arith.constant -70 : index  %d = arith.subi %kv, %q : index  "
     "%r = arith.remsi %d, %t : index  %v = arith.cmpi slt, %r, %z : index",
     [](const Pair &at) { return (at.kv - at.q) % 120 < -70; }, kNothing, false, true},
    {"one remainder below zero",
     "%t = arith.constant 90 : i32  %z = arith.constant -7 : i32  %d = arith.subi %kv, %q : index  "
     "%i = arith.index_cast %d : index to i32  %r = arith.remsi %i, %t : i32  %v = arith.cmpi eq, %z, %r : i32",
     [](const Pair &at) { return (at.kv - at.q) % 90 == -7; }, kNothing, false, true},
};

static const std::vector<Predicate> loaded = {
    {"documents",
     "%i = memref.load %ids[%row] {tile.sorted} : memref<?xi32>  "
     "%j = memref.load %ids[%column] {tile.sorted} : memref<?xi32>  %v = arith.cmpi eq, %i, %j : i32",
     [](const Pair &at) { return at.memory.ids[at.row] == at.memory.ids[at.column]; }, kExact, false, false, true},
    {"documents up to its own",
     "%i = memref.load %ids[%row] {tile.sorted} : memref<?xi32>  "
     "%j = memref.load %ids[%column] {tile.sorted} : memref<?xi32>  %v = arith.cmpi sle, %j, %i : i32",
     [](const Pair &at) { return at.memory.ids[at.row] >= at.memory.ids[at.column]; }, kExact, false, false, true},
    {"causal documents",
     "%i = memref.load %ids[%row] {tile.sorted} : memref<?xi32>  "
     "%j = memref.load %ids[%column] {tile.sorted} : memref<?xi32>  %e = arith.cmpi eq, %i, %j : i32  "
     "%c = arith.cmpi sle, %column, %row : index  %v = arith.andi %e, %c : i1",
     [](const Pair &at) { return at.column <= at.row && at.memory.ids[at.row] == at.memory.ids[at.column]; }, kExact,
     false, false, true},
    {"other documents",
     "%i = memref.load %ids[%row] {tile.sorted} : memref<?xi32>  %a = arith.index_cast %i : i32 to index  "
     "%j = memref.load %ids[%column] {tile.sorted} : memref<?xi32>  %c = arith.index_cast %j : i32 to index  "
     "%v = arith.cmpi ne, %a, %c : index",
     [](const Pair &at) { return at.memory.ids[at.row] != at.memory.ids[at.column]; }, kNothing, false, false, true},
    {"ids from a parameter on",
     "%i = memref.load %ids[%column] {tile.sorted} : memref<?xi32>  %a = arith.index_cast %i : i32 to index  "
     "%v = arith.cmpi sge, %a, %p : index",
     [](const Pair &at) { return at.memory.ids[at.column] >= at.p; }, kExact, true, false, true},
    {"documents that are not sorted",
     "%i = memref.load %starts[%row] : memref<?xi32>  %j = memref.load %starts[%column] : memref<?xi32>  "
     "%v = arith.cmpi eq, %i, %j : i32",
     [](const Pair &at) { return at.memory.starts[at.row] == at.memory.starts[at.column]; }, kNothing, false, false,
     true},
    {"from a start for each row",
     "%i = memref.load %starts[%row] : memref<?xi32>  %s = arith.index_cast %i : i32 to index  "
     "%v = arith.cmpi sge, %column, %s : index",
     [](const Pair &at) { return at.column >= at.memory.starts[at.row]; }, kExact, false, false, true},
    {"from a sorted start to a sorted end",
     "%i = memref.load %ids[%row] {tile.sorted} : memref<?xi32>  %s = arith.index_cast %i : i32 to index  "
     "%l = arith.constant 40 : index  %e = arith.addi %s, %l : index  %a = arith.cmpi sge, %column, %s : index  "
     "%c = arith.cmpi slt, %column, %e : index  %v = arith.andi %a, %c : i1",
     [](const Pair &at) {
       return at.column >= at.memory.ids[at.row] && at.column < int64_t(at.memory.ids[at.row]) + 40;
     },
     kNothing, false, false, true},
    {"below an end for each row, behind the diagonal",
     "%i = memref.load %starts[%row] : memref<?xi32>  %k = arith.index_cast %kv : index to i32  "
     "%a = arith.cmpi slt, %k, %i : i32  %c = arith.cmpi sgt, %kv, %q : index  %v = arith.ori %a, %c : i1",
     [](const Pair &at) { return at.kv < at.memory.starts[at.row] || at.kv > at.q; }, kNothing, false, false, true},
};

const std::vector<Predicate> &predicates() {
  static const std::vector<Predicate> all = [] {
    std::vector<Predicate> list = affinePredicates();
    list.insert(list.end(), remainders.begin(), remainders.end());
    list.insert(list.end(), loaded.begin(), loaded.end());
    return list;
  }();
  return all;
}

} // namespace attn::test
