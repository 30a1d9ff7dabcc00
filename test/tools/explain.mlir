// SPDX-License-Identifier: Apache-2.0
// The numbers of --explain, worked out by hand beside each kernel.
// RUN: split-file %s %t
// RUN: attnc --explain %specs/llama3_prefill.mlir --sizes batch=1,seq_q=4096,seq_kv=4096 | FileCheck %s --check-prefix=CAUSAL
// RUN: attnc --explain %t/window.mlir --sizes batch=3,seq_q=512,seq_kv=512 | FileCheck %s --check-prefix=WINDOW
// RUN: attnc --explain %t/window.mlir --sizes batch=3,seq_q=512,seq_kv=256 | FileCheck %s --check-prefix=NEGATIVE
// RUN: attnc --explain %t/window.mlir --sizes batch=3,seq_q=0,seq_kv=256 | FileCheck %s --check-prefix=EMPTY
// RUN: attnc --explain %t/lengths.mlir --sizes batch=2,seq_q=256,seq_kv=512 | FileCheck %s --check-prefix=UNKNOWN
// RUN: attnc --explain %t/lengths.mlir --sizes batch=2,seq_q=256,seq_kv=512,prefix=100,kv_lens=300 | FileCheck %s --check-prefix=GIVEN
// RUN: attnc --explain %t/opaque.mlir --sizes batch=1,seq_q=128,seq_kv=128 | FileCheck %s --check-prefix=OPAQUE
// RUN: attnc --explain --target=sm_90a %t/opaque.mlir --sizes batch=1,seq_q=128,seq_kv=128 | FileCheck %s --check-prefix=SM90A
// RUN: attnc --explain %t/padded.mlir --sizes batch=1,seq_q=64,seq_kv=64 | FileCheck %s --check-prefix=PADDED
// RUN: attnc %t/padded.mlir | FileCheck %s --check-prefix=FILE
// RUN: sed 's/(o: !q) {/(o: !q) schedule<block_q = 128, block_kv = 128, num_stages = 1, num_warps = 4> {/' %specs/llama3_prefill.mlir > %t/spills.mlir
// RUN: attnc --explain %t/spills.mlir --sizes batch=1,seq_q=128,seq_kv=128 | FileCheck %s --check-prefix=SPILLS
// RUN: attnc %t/spills.mlir | FileCheck %s --check-prefix=MOST

// RUN: attnc --explain %t/equal.mlir --sizes batch=2,seq_kv=512 | FileCheck %s --check-prefix=EQUAL

// Two programs on each of 108 multiprocessors.
// EQUAL: schedule   stream_k, block_q = 16, block_kv = 32, num_stages = 2, num_warps = 1{{$}}
// EQUAL-NEXT: at most 216 programs take equal shares of the tiles of all sequences; where a sequence is cut depends on the others
// EQUAL-NEXT: as the kernel says
// EQUAL: tiles      programs take equal shares of all tiles; which, their lengths say at launch
// EQUAL-NEXT: code       .entry equal:
// EQUAL-NEXT: code       .entry equal_merge:

// 128 registers of scores, 128 of output, 8 of statistics, 4 of positions, 56 others: the user's own numbers may need more
// than there are. The assembler may use one less than a thread can have.
// SPILLS: about 324 registers per thread of 255: 1 per SM
// SPILLS-NEXT: the registers beyond that are spilled, as the schedule of the kernel asks
// CAUSAL-NOT: spilled
// MOST: .maxnreg 254

// 32 blocks of 128 rows and 128 tiles of keys. Block i sees 4 i tiles wholly and 4 on the diagonal: 1984 full, 128 masked
// and 1984 skipped of each of 32 heads.
// CAUSAL: kernel     @llama3_prefill for sm_80, batch = 1, seq_q = 4096, seq_kv = 4096
// CAUSAL: schedule   prefill, block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4
// CAUSAL-NEXT: a tuned row
// 2 x (128 x 128 + 2 x 32 x 128); three of them and 1 KB each fit 164 KB, but only two of 228 registers fit 65536.
// CAUSAL-NEXT: program    128 threads, 49152 bytes of shared memory of 166912, about 228 registers per thread of 255: 2 per SM
// CAUSAL: mask       @causal (library): q - kv >= 0, intervals of tiles
// CAUSAL-NEXT: mask       @in_bounds: the key exists; never evaluated
// CAUSAL-NEXT: grid       1024 programs (32 x 32 x 1), 216 at once: 4.74 waves
// CAUSAL-NEXT: tiles      63488 full, 4096 masked, 63488 skipped, of 128 x 32
// CAUSAL-NEXT: {{^}}           ++..............................................................{{$}}
// CAUSAL-NEXT: {{^}}           ##++............................................................{{$}}
// CAUSAL: {{^}}           ##############################################################++{{$}}
// CAUSAL-NEXT: # full, + masked, . skipped; a character stands for 1 x 2 tiles, + also for a mixture{{$}}
// 67584 tiles of 2 x 128 x 32 x 256, of 131072 in all; 4096 exponentials each.
// CAUSAL-NEXT: work       142 GFLOP in visited tiles (275 GFLOP without masks), 277 M exponentials
// q and o 33.55 MB each, k and v 8.39 MB each; and 67584 times 16 KB of keys and values beside q and o.
// CAUSAL-NEXT: memory     at least 83.9 MB (each tensor once); this schedule moves 1.17 GB
// 141.7e9 / 83.9e6, and 312e12 / 2039e9.
// CAUSAL-NEXT: intensity  1689.6 FLOP per byte, the ridge of sm_80 is 153.0: bound by arithmetic
// 141.7e9 / 312e12; 276.8e6 / (108 x 16 x 1.41e9); 83.9e6 / 2039e9.
// CAUSAL-NEXT: floor      454.3 us (products 454.3 us, exponentials 113.6 us, memory 41.1 us)
// A body for full tiles and one for masked ones: 2 x 4 x 8 instructions for scores, 2 x 16 x 2 for the output, each.
// CAUSAL-NEXT: code       .entry llama3_prefill: {{[0-9]+}} bytes of PTX, {{[0-9]+}} instructions, 256 of them matrix products

// Rows 64 i ... 64 i + 63 see keys from 64 i - 127 on: all of tile i - 1, parts of i - 2 and of i.
// WINDOW: as the kernel says
// WINDOW: mask       @sliding_window (library): {{.*}}127 >= 0{{.*}}, intervals of tiles
// WINDOW: grid       48 programs (8 x 2 x 3)
// 6 sequences and heads, each with 7 full tiles and 8 + 6 masked ones of 64.
// WINDOW-NEXT: tiles      42 full, 84 masked, 258 skipped, of 64 x 64
// WINDOW-NEXT: {{^}}           +.......{{$}}
// WINDOW-NEXT: {{^}}           #+......{{$}}
// WINDOW-NEXT: {{^}}           +#+.....{{$}}
// WINDOW-NEXT: {{^}}           .+#+....{{$}}
// WINDOW-NEXT: {{^}}           ..+#+...{{$}}
// WINDOW-NEXT: {{^}}           ...+#+..{{$}}
// WINDOW-NEXT: {{^}}           ....+#+.{{$}}
// WINDOW-NEXT: {{^}}           .....+#+{{$}}

// More queries than keys: the first 256 stand before every key.
// NEGATIVE: tiles      18 full, 36 masked, 138 skipped, of 64 x 64
// NEGATIVE-NEXT: {{^}}           ....{{$}}
// NEGATIVE-NEXT: {{^}}           ....{{$}}
// NEGATIVE-NEXT: {{^}}           ....{{$}}
// NEGATIVE-NEXT: {{^}}           ....{{$}}
// NEGATIVE-NEXT: {{^}}           +...{{$}}
// NEGATIVE-NEXT: {{^}}           #+..{{$}}
// NEGATIVE-NEXT: {{^}}           +#+.{{$}}
// NEGATIVE-NEXT: {{^}}           .+#+{{$}}

// EMPTY: grid       0 programs (0 x 2 x 3)
// EMPTY-NEXT: tiles      0 full, 0 masked, 0 skipped
// EMPTY-NEXT: work       0 FLOP

// A value in memory decides which tiles are visited, so they cannot be counted.
// UNKNOWN: mask       @prefix_lm (library): {{.*}}prefix[]{{.*}}, intervals of tiles
// UNKNOWN: lengths    'kv_lens' taken to be all that the tensors hold
// UNKNOWN-NEXT: tiles      the last tile depends on 'prefix', which --sizes or --input can give a value
// UNKNOWN-NEXT: code

// With 300 keys there are 5 tiles, the last of which is no whole one. 100 keys are seen by all: one tile wholly.
// GIVEN-NOT: taken to be
// Four sequences and heads, each with 1 + 1 + 2 + 3 full tiles.
// GIVEN: tiles      28 full, 16 masked, 36 skipped, of 64 x 64
// GIVEN-NEXT: {{^}}           #+...{{$}}
// GIVEN-NEXT: {{^}}           #+...{{$}}
// GIVEN-NEXT: {{^}}           ##+..{{$}}
// GIVEN-NEXT: {{^}}           ###+.{{$}}

// No comparison of positions: every tile is visited, with its mask.
// OPAQUE: score      @halve (this file)
// OPAQUE-NEXT: weight     @halve (this file)
// OPAQUE-NEXT: mask       @odd (this file): {{.*}}, every element of every visited tile (no comparison of positions)
// OPAQUE: tiles      0 full, 8 masked, 0 skipped, of 64 x 64
// SM90A: kernel     @opaque for sm_90a
// SM90A: the ridge of sm_90a is 206.0

// Rows of 72 and 40 elements lie in rows of 80 and 48: 2 x (64 x 80 + 2 x 32 x (80 + 48)) bytes, in the model as in the
// kernel file.
// PADDED: program    128 threads, 26624 bytes of shared memory
// FILE: //! launch padded
// FILE: //! block 128
// FILE: //! shared 26624

//--- window.mlir
!x = tensor<?x?x2x64xf16>
attn.kernel @window(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 64, num_stages = 1, num_warps = 4> {
  %left = arith.constant 127 : index
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @sliding_window(%left) : index
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

//--- lengths.mlir
!x = tensor<?x?x2x64xf16>
!lens = tensor<?xi32>
!prefix = tensor<?xi32, #attn.dims<batch>>
attn.kernel @lengths(%q: !x, %k: !x, %v: !x, %kv_lens: !lens, %prefix: !prefix) -> (o: !x)
    schedule<block_q = 64, block_kv = 64> {
  %kv = attn.dense %k, %v [%kv_lens] : !x, !x [!lens]
  %s = attn.scores %q, %kv align start : !x, !attn.seq
  %m = attn.mask %s by @prefix_lm(%prefix) : !prefix
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !x
  attn.return %o : !x
}

//--- opaque.mlir
!x = tensor<?x?x2x64xf16>
attn.kernel @opaque(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<block_q = 64, block_kv = 64> {
  %s = attn.scores %q, %k : !x, !x
  %h = attn.modify %s by @halve
  %m = attn.mask %h by @odd
  %p = attn.softmax %m
  %r = attn.reweight %p by @halve
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @halve(%s: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %half = arith.constant 0.5 : f32
  %r = arith.mulf %s, %half : f32
  return %r : f32
}
func.func @odd(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %one = arith.constant 1 : index
  %product = arith.muli %q, %kv : index
  %bit = arith.andi %product, %one : index
  %visible = arith.cmpi eq, %bit, %one : index
  return %visible : i1
}

//--- padded.mlir
!k = tensor<?x?x2x72xf16>
!v = tensor<?x?x2x40xf16>
attn.kernel @padded(%q: !k, %k: !k, %v: !v) -> (o: !v)
    schedule<block_q = 64, block_kv = 32, num_stages = 2, num_warps = 4> {
  %s = attn.scores %q, %k : !k, !k
  %p = attn.softmax %s
  %o = attn.output %p, %v : !v -> !v
  attn.return %o : !v
}

//--- equal.mlir
!q = tensor<?x1x2x64xf16>
!k = tensor<?x?x2x64xf16>
attn.kernel @equal(%q: !q, %k: !k, %v: !k) -> (o: !q)
    schedule<stream_k, block_q = 16, block_kv = 32, num_stages = 2, num_warps = 1> {
  %s = attn.scores %q, %k : !q, !k
  %p = attn.softmax %s
  %o = attn.output %p, %v : !k -> !q
  attn.return %o : !q
}
