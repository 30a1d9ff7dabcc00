// Control flow becomes branches and scalars operations of LLVM; what is LLVM's already stays.
// RUN: attn-opt %s --convert-gpu-to-llvm | FileCheck %s
// RUN: attn-opt %s --convert-gpu-to-llvm | attn-opt | FileCheck %s

// A loop that asks at its end keeps that shape: one block, which jumps to itself.

// CHECK-LABEL: llvm.func @steps(%{{.*}}: i32, %{{.*}}: f32, %{{.*}}: !llvm.ptr<1>)
// CHECK: llvm.cond_br %{{.*}}, ^[[ENTER:.*]], ^[[SKIP:bb[0-9]+]]
// CHECK: ^[[BODY:bb[0-9]+]](%[[T:.*]]: i32, %[[X:.*]]: f32):
// CHECK: llvm.inline_asm has_side_effects "// part full"
// CHECK: %[[Y:.*]] = llvm.intr.fma(%[[X]], %{{.*}}, %{{.*}}) : (f32, f32, f32) -> f32
// CHECK: %[[NEXT:.*]] = llvm.add %[[T]], %{{.*}} : i32
// CHECK: %[[MORE:.*]] = llvm.icmp "slt" %[[NEXT]], %{{.*}} : i32
// CHECK: llvm.cond_br %[[MORE]], ^{{bb[0-9]+}}
// CHECK: llvm.intr.exp2
// CHECK: llvm.store
// CHECK: llvm.return
// CHECK-NOT: scf.
// CHECK-NOT: arith.
// CHECK-NOT: math.
llvm.func @steps(%n: i32, %x: f32, %to: !llvm.ptr<1>) attributes {nvvm.kernel} {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %c = arith.constant 2.0 : f32
  %any = arith.cmpi slt, %zero, %n : i32
  %r:2 = scf.if %any -> (i32, f32) {
    %w:2 = scf.while (%t = %zero, %a = %x) : (i32, f32) -> (i32, f32) {
      llvm.inline_asm has_side_effects "// part full", "" : () -> ()
      %y = math.fma %a, %c, %c : f32
      %next = arith.addi %t, %one : i32
      %more = arith.cmpi slt, %next, %n : i32
      scf.condition(%more) %next, %y : i32, f32
    } do {
    ^bb0(%t: i32, %a: f32):
      scf.yield %t, %a : i32, f32
    }
    scf.yield %w#0, %w#1 : i32, f32
  } else {
    scf.yield %zero, %x : i32, f32
  }
  %e = math.exp2 %r#1 : f32
  llvm.store %e, %to : f32, !llvm.ptr<1>
  llvm.return
}
