// As many tiles as a list has places, and one more: then each tile of the range is visited and masked.
// RUN: attnc %s --target sm_80 -o %t.80.ptx
// RUN: attn-run %t.80.ptx --device sim --sizes batch=2,seq_q=3,seq_kv=16384,most=9 --check | FileCheck %s
// RUN: attn-run %t.80.ptx --device sim --sizes batch=2,seq_q=3,seq_kv=16385,most=9 --check | FileCheck %s
// RUN: attnc %s --target sm_90a -o %t.90.ptx
// RUN: attn-run %t.90.ptx --device sim --sizes batch=2,seq_q=3,seq_kv=16385,most=9 --check | FileCheck %s
// CHECK: o: largest error {{.*}}, pass
!x = tensor<?x?x1x8xbf16>
!list = tensor<?x?xi32, #attn.dims<batch, most>>
!count = tensor<?xi32, #attn.dims<batch>>
attn.kernel @listed(%q: !x, %k: !x, %v: !x, %columns: !list, %n: !count) -> (o: !x)
    schedule<block_q = 16, block_kv = 16, num_warps = 1, num_stages = 1> {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @seen(%columns, %n) : !list, !count
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
func.func @seen(%b: index, %h: index, %q: index, %kv: index, %columns: tensor<?x?xi32>, %n: tensor<?xi32>) -> i1 {
  %left = arith.constant 200 : index
  %sinks = arith.constant 40 : index
  %age = arith.subi %q, %kv : index
  %near = arith.cmpi slt, %age, %left : index
  %first = arith.cmpi slt, %kv, %sinks : index
  %listed = attn.member %age of %columns[%b] count %n : tensor<?x?xi32> count tensor<?xi32>
  %either = arith.ori %near, %listed : i1
  %seen = arith.ori %either, %first : i1
  return %seen : i1
}
