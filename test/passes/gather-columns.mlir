// A walk whose mask asks a list of columns becomes two: over what is visible without the list, and over the entries of
// the list in its range. Each pair is visible in one of them. Without leave, and with lists that say nothing of one
// column or other things for each row, a walk stays as it is.
// RUN: attn-opt %s --gather-columns --split-input-file | FileCheck %s
// RUN: attn-opt %s --gather-columns --split-input-file | attn-opt --split-input-file | FileCheck %s

!view = !tile.view<64 x bf16>
!pool = memref<?x?x2x64xbf16, strided<[?, ?, ?, 1]>>
!list = memref<?x?xi32, strided<[?, ?]>>
!tile = tensor<16x32xf32>

// Without the list a window is visible; what it shows is left out of the second walk. Entries up to the last row count.
// CHECK-LABEL: func.func @columns(
// CHECK: %[[LAST:.*]] = arith.minsi
// CHECK: %[[FROM:.*]] = tile.place of %{{.*}} in %[[LIST:.*]][%[[B:.*]]] from %[[LOW:.*]] to %[[HIGH:.*]] : memref
// CHECK: %[[TO:.*]] = tile.place of %{{.*}} in %[[LIST]][%[[B]]] from %[[LOW]] to %[[HIGH]] : memref
// CHECK: %[[DISTANCE:.*]] = arith.subi %[[TO]], %[[FROM]]
// CHECK: %[[COUNT:.*]] = arith.maxsi %[[DISTANCE]]
// CHECK: %[[NEAR:.*]] = tile.walk %{{.*}} in %[[KEYS:.*]][%{{.*}}] step 32
// CHECK: tile.mask %{{.*}} by [@seen_unlisted](
// CHECK: %[[SOME:.*]] = tile.gather %[[KEYS]] at %[[LIST]][%[[B]]] from %[[FROM]] length %[[COUNT]]
// CHECK: %[[ALL:.*]] = tile.walk %[[COLUMN:.*]] in %[[SOME]][%{{.*}} to %[[COUNT]]] step 32 iter_args(%{{.*}} = %[[NEAR]])
// CHECK: tile.load %[[SOME]][%[[COLUMN]]]
// CHECK: tile.mask %{{.*}} by [@seen_listed]({{.*}}cols %[[SOME]][%[[COLUMN]]]
// CHECK: return %[[ALL]]
func.func @columns(%q: !pool, %k: !pool, %columns: !list, %b: index, %h: index, %row: index, %rows: index, %n: index) -> !tile attributes {tile.gather} {
  %zero = arith.constant 0 : index
  %none = arith.constant dense<0.0> : !tile
  %query = tile.view %q[%b, %h] length %rows : !pool -> !view
  %keys = tile.view %k[%b, %h] length %n : !pool -> !view
  %r = tile.walk %col in %keys[%zero to %n] step 32 iter_args(%a = %none) : !view -> (!tile) {
    %t = tile.load %keys[%col] : !view -> tensor<32x64xbf16>
    %s = tile.mask %a by [@seen](%columns, %n : !list, index) rows %query[%row] cols %keys[%col] : !tile, !view, !view
    tile.yield %s : !tile
  }
  return %r : !tile
}
// CHECK-LABEL: func.func private @seen(
func.func private @seen(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %columns: !list, %n: index) -> i1 {
  %zero = arith.constant 0 : index
  %listed = tile.member %kv of %columns[%b] from %zero to %n : !list
  %age = arith.subi %q, %kv : index
  %near = arith.cmpi slt, %age, %n : index
  %past = arith.cmpi sge, %age, %zero : index
  %either = arith.ori %listed, %near : i1
  %seen = arith.andi %either, %past : i1
  return %seen : i1
}
// CHECK-LABEL: func.func private @seen_listed(
// CHECK-NOT: tile.member
// CHECK: %[[WITH:.*]] = arith.andi
// CHECK: %[[WITHOUT:.*]] = arith.andi
// CHECK: %[[HIDDEN:.*]] = arith.xori %[[WITHOUT]], %true
// CHECK: %[[BOTH:.*]] = arith.andi %[[WITH]], %[[HIDDEN]]
// CHECK: return %[[BOTH]]
// CHECK-LABEL: func.func private @seen_unlisted(
// CHECK-NOT: tile.member
// CHECK: return

// -----

// Where another list is asked as well, the first walk leaves out the listed columns, so that the second asks no list.
!view = !tile.view<64 x bf16>
!pool = memref<?x?x2x64xbf16, strided<[?, ?, ?, 1]>>
!list = memref<?x?xi32, strided<[?, ?]>>
!tile = tensor<16x32xf32>
// CHECK-LABEL: func.func @slashes(
// CHECK: tile.mask %{{.*}} by [@seen_unlisted](
// CHECK: tile.mask %{{.*}} by [@seen_listed](
func.func @slashes(%q: !pool, %k: !pool, %columns: !list, %b: index, %h: index, %row: index, %rows: index, %n: index) -> !tile attributes {tile.gather} {
  %zero = arith.constant 0 : index
  %none = arith.constant dense<0.0> : !tile
  %query = tile.view %q[%b, %h] length %rows : !pool -> !view
  %keys = tile.view %k[%b, %h] length %n : !pool -> !view
  %r = tile.walk %col in %keys[%zero to %n] step 32 iter_args(%a = %none) : !view -> (!tile) {
    %s = tile.mask %a by [@seen](%columns, %n : !list, index) rows %query[%row] cols %keys[%col] : !tile, !view, !view
    tile.yield %s : !tile
  }
  return %r : !tile
}
func.func private @seen(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %lists: !list, %n: index) -> i1 {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %age = arith.subi %q, %kv : index
  %column_listed = tile.member %kv of %lists[%zero] from %zero to %n : !list
  %slash_listed = tile.member %age of %lists[%one] from %zero to %n : !list
  %seen = arith.ori %column_listed, %slash_listed : i1
  return %seen : i1
}
// CHECK-LABEL: func.func private @seen_listed(
// CHECK: tile.member %{{[a-z0-9]+}} of
// CHECK-NOT: tile.member
// CHECK: %[[RESULT:.*]] = arith.ori %true
// CHECK: return %[[RESULT]]
// CHECK-LABEL: func.func private @seen_unlisted(
// CHECK: tile.member %arg5 of
// CHECK: return

// -----

// Not where a function has no leave; not of what is not listed, of blocks, or of a list for each row.
!view = !tile.view<64 x bf16>
!pool = memref<?x?x2x64xbf16, strided<[?, ?, ?, 1]>>
!list = memref<?x?xi32, strided<[?, ?]>>
!tile = tensor<16x32xf32>
// CHECK-NOT: tile.gather %
// CHECK-NOT: tile.place
func.func @without_leave(%q: !pool, %columns: !list, %b: index, %h: index, %row: index, %n: index) -> !tile {
  %zero = arith.constant 0 : index
  %none = arith.constant dense<0.0> : !tile
  %keys = tile.view %q[%b, %h] length %n : !pool -> !view
  %r = tile.walk %col in %keys[%zero to %n] step 32 iter_args(%a = %none) : !view -> (!tile) {
    %s = tile.mask %a by [@columns](%columns : !list) rows %keys[%row] cols %keys[%col] : !tile, !view, !view
    tile.yield %s : !tile
  }
  return %r : !tile
}
func.func @others(%q: !pool, %columns: !list, %b: index, %h: index, %row: index, %n: index) -> (!tile, !tile, !tile) attributes {tile.gather} {
  %zero = arith.constant 0 : index
  %none = arith.constant dense<0.0> : !tile
  %keys = tile.view %q[%b, %h] length %n : !pool -> !view
  %r0 = tile.walk %col in %keys[%zero to %n] step 32 iter_args(%a = %none) : !view -> (!tile) {
    %s = tile.mask %a by [@not_columns](%columns : !list) rows %keys[%row] cols %keys[%col] : !tile, !view, !view
    tile.yield %s : !tile
  }
  %r1 = tile.walk %col in %keys[%zero to %n] step 32 iter_args(%a = %none) : !view -> (!tile) {
    %s = tile.mask %a by [@blocks](%columns : !list) rows %keys[%row] cols %keys[%col] : !tile, !view, !view
    tile.yield %s : !tile
  }
  %r2 = tile.walk %col in %keys[%zero to %n] step 32 iter_args(%a = %none) : !view -> (!tile) {
    %s = tile.mask %a by [@of_rows](%columns : !list) rows %keys[%row] cols %keys[%col] : !tile, !view, !view
    tile.yield %s : !tile
  }
  return %r0, %r1, %r2 : !tile, !tile, !tile
}
func.func private @columns(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %columns: !list) -> i1 {
  %zero = arith.constant 0 : index
  %n = arith.constant 9 : index
  %listed = tile.member %kv of %columns[%b] from %zero to %n : !list
  return %listed : i1
}
func.func private @not_columns(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %columns: !list) -> i1 {
  %zero = arith.constant 0 : index
  %n = arith.constant 9 : index
  %yes = arith.constant true
  %listed = tile.member %kv of %columns[%b] from %zero to %n : !list
  %seen = arith.xori %listed, %yes : i1
  return %seen : i1
}
func.func private @blocks(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %columns: !list) -> i1 {
  %zero = arith.constant 0 : index
  %n = arith.constant 9 : index
  %block = arith.floordivsi %kv, %n : index
  %listed = tile.member %block of %columns[%b] from %zero to %n : !list
  return %listed : i1
}
func.func private @of_rows(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %columns: !list) -> i1 {
  %zero = arith.constant 0 : index
  %n = arith.constant 9 : index
  %listed = tile.member %kv of %columns[%row] from %zero to %n : !list
  return %listed : i1
}
