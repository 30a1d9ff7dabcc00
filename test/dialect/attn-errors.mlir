// The rules of a kernel as a whole. All that is broken is reported at once.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

!q = tensor<?x?x32x128xbf16>
!k = tensor<?x?x8x64xbf16>
!v = tensor<?x?x4x64xbf16>
attn.kernel @many(%q: !q, %k: !k, %v: !v, %sink: tensor<8xf32>) -> (o: !q, lse: tensor<?x?x32xf32>) {
  // expected-error @below {{'attn.scores' op expects query and keys with the same head_dim, got 128 and 64}}
  %s = attn.scores %q, %k : !q, !k
  // expected-error @below {{'attn.mask' op expects its result to be used: as written this line has no effect}}
  %m = attn.mask %s by @causal
  // expected-note @below {{this line reads what it was given instead}}
  // expected-error @below {{'attn.softmax' op expects a sink of tensor<32xf32>: one logit per head, got 'tensor<8xf32>'}}
  // expected-error @below {{'attn.softmax' op expects an lse of type 'tensor<?x?x32xf32>': one value per query row and head, got 'tensor<?x32x?xf32>'}}
  %p, %lse = attn.softmax %s sink %sink : tensor<8xf32> -> tensor<?x32x?xf32>
  // expected-error @below {{'attn.output' op expects values that differ from the keys in head_dim only, got 'tensor<?x?x8x64xbf16>' and 'tensor<?x?x4x64xbf16>'}}
  // expected-error @below {{'attn.output' op expects an output of 'tensor<?x?x32x64xbf16>', got 'tensor<?x?x32x128xbf16>'}}
  %o = attn.output %p, %v : !v -> !q
  // expected-error @below {{'attn.return' op expects 'lse' of type 'tensor<?x?x32xf32>', got 'tensor<?x32x?xf32>'}}
  attn.return %o, %lse : !q, tensor<?x32x?xf32>
}

// -----

// expected-error @below {{'attn.kernel' op expects a result or an append: as written this kernel does nothing}}
attn.kernel @nothing(%q: tensor<1x7x8x64xf16>) {
  attn.return
}

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @two(%q: !x, %k: !x, %v: !x) -> (o: !x, o2: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-note @below {{the first is here}}
  %p = attn.softmax %s
  // expected-error @below {{'attn.softmax' op expects one attention per kernel, got a second one}}
  %p2 = attn.softmax %s
  // expected-note @below {{the first is here}}
  %o = attn.output %p, %v : !x -> !x
  // expected-error @below {{'attn.output' op expects one attention per kernel, got a second one}}
  %o2 = attn.output %p2, %v : !x -> !x
  attn.return %o, %o2 : !x, !x
}

// -----

// A line that nothing replaces has no note.
!x = tensor<?x?x8x64xf16>
attn.kernel @no_effect(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  // expected-error @below {{'attn.dense' op expects its result to be used: as written this line has no effect}}
  %kv = attn.dense %k, %v : !x, !x
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @results(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: tensor<?x?x8xf32>) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  // expected-error @below {{'attn.return' op expects 2 values, as the kernel's results say, got 1}}
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @copy(%q: !x) -> (o: !x) {
  // expected-error @below {{'attn.return' op expects 'o' to be computed here, got the argument 'q'}}
  attn.return %q : !x
}

// -----

!x = tensor<?x?x8x64xf16>
!y = tensor<?x?x8x64xbf16>
// expected-error @below {{'attn.kernel' op expects result 'q' to have the type of the argument it replaces, 'tensor<?x?x8x64xf16>', got 'tensor<?x?x8x64xbf16>'}}
// expected-error @below {{'attn.kernel' op expects results with different names, got 'o' twice}}
attn.kernel @in_place(%q: !x, %k: !x, %v: !x) -> (o: !x, q: !y, o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %o, %o : !x, !x, !x
}

// -----

// expected-error @below {{'attn.kernel' op expects arguments that are tensors, f32, index, i32 or i1, got 's' of type '!attn.scores'}}
// expected-error @below {{'attn.kernel' op expects arguments that are tensors, f32, index, i32 or i1, got 'x' of type 'f64'}}
attn.kernel @arguments(%s: !attn.scores, %x: f64) -> (o: tensor<1xf32>) {
  %p, %lse = attn.softmax %s -> tensor<1xf32>
  attn.return %lse : tensor<1xf32>
}

// -----

// expected-error @below {{'attn.kernel' op expects a body that ends with attn.return}}
attn.kernel @end(%x: f32) {
  llvm.unreachable
}

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @arithmetic(%q: !x, %k: !x, %a: index) -> (o: !x) {
  // expected-error @below {{'arith.addf' op expects scalars, got 'tensor<?x?x8x64xf16>': arithmetic on elements stands in score and mask functions}}
  %sum = arith.addf %q, %q : !x
  // expected-error @below {{'tensor.empty' op expects to stand in a function: a kernel holds attn and arith operations only}}
  %e = tensor.empty(%a, %a) : !x
  // expected-error @below {{'attn.row' op expects to stand in a score or mask function, not in a kernel}}
  %row = attn.row
  // expected-error @below {{'attn.column' op expects to stand in a score or mask function, not in a kernel}}
  %column = attn.column
  %s = attn.scores %sum, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %e : !x -> !x
  attn.return %o : !x
}

// -----

attn.kernel @lists(%x: index, %list: tensor<?xi32, #attn.dims<listed>>) -> (o: tensor<1x1x8x64xf32>) {
  // expected-error @below {{'attn.member' op expects to stand in a score or mask function, not in a kernel}}
  %found = attn.member %x of %list : tensor<?xi32, #attn.dims<listed>>
  // expected-error @below {{'attn.return' op expects 1 values, as the kernel's results say, got 0}}
  attn.return
}

// -----

// Sizes of one name: stated twice, or stated once and known by role once.
!q = tensor<?x?x32x64xf16>
!a = tensor<16xf32, #attn.dims<heads>>
!b = tensor<4xf32, #attn.dims<things>>
!c = tensor<5xf32, #attn.dims<things>>
// expected-error @below {{'attn.kernel' op expects one size for dimension 'heads', got 32 in 'q' and 16 in 'slopes'}}
// expected-error @below {{'attn.kernel' op expects one size for dimension 'things', got 4 in 'b' and 5 in 'c'}}
attn.kernel @sizes(%q: !q, %k: !q, %v: !q, %slopes: !a, %b: !b, %c: !c) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !q
  %a = attn.modify %s by @f(%slopes, %b, %c) : !a, !b, !c
  %p = attn.softmax %a
  %o = attn.output %p, %v : !q -> !q
  attn.return %o : !q
}

// -----

// A table has its role too.
!q = tensor<8x?x8x64xf16>
// expected-error @below {{'attn.kernel' op expects one size for dimension 'batch', got 8 in 'q' and 7 in 'lens'}}
attn.kernel @batch(%q: !q, %k: !q, %v: !q, %lens: tensor<7xi32>) -> (o: !q) {
  %kv = attn.dense %k, %v[%lens] : !q, !q [tensor<7xi32>]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!x = tensor<?x?x8x64xf16>
// expected-error @below {{'attn.kernel' op expects #attn.dims on the type of 'unused': nothing reads it, so nothing else names its dimensions}}
attn.kernel @nameless(%q: !x, %k: !x, %v: !x, %bias: tensor<?xf32>, %unused: tensor<?xf32>) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{'attn.modify' op expects #attn.dims on the type of 'bias': only functions read it, so nothing else names its dimensions}}
  %a = attn.modify %s by @f(%bias) : tensor<?xf32>
  %p = attn.softmax %a
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// A line that feeds itself is for the verifier of values, not for the rules that follow values back.
!x = tensor<?x?x2x8xf16>
attn.kernel @circle(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{operand #0 does not dominate this use}}
  // expected-note @below {{operand defined here (op in the same block)}}
  %m = attn.mask %m by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// Names are words at launch; MLIR allows more in a value's name.
!x = tensor<?x?x8x64xf16>
// expected-error @below {{'attn.kernel' op expects arguments with names of letters, digits, _, $ and . that begin with a letter, _ or $, got 'q-new'}}
// expected-error @below {{'attn.kernel' op expects arguments with names of letters, digits, _, $ and . that begin with a letter, _ or $, got '.v'}}
attn.kernel @hyphen(%q-new: !x, %k: !x, %.v: !x) -> (o: !x) {
  %s = attn.scores %q-new, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %.v : !x -> !x
  attn.return %o : !x
}

// -----

// The generic form allows anything in names, and none at all.
// expected-error @below {{'attn.kernel' op expects arguments with names of letters, digits, _, $ and . that begin with a letter, _ or $, got 'two words'}}
// expected-error @below {{'attn.kernel' op expects arguments with different names, got 'k' twice}}
// expected-error @below {{'attn.kernel' op expects results with names of letters, digits, _, $ and . that begin with a letter, _ or $, got '?'}}
"attn.kernel"() <{sym_name = "generic", function_type = (tensor<1xf32>, f32, f32) -> tensor<1xf32>, arg_attrs = [{attn.name = "two words"}, {attn.name = "k"}, {attn.name = "k"}]}> ({
^bb0(%q: tensor<1xf32>, %k: f32, %v: f32):
  "attn.return"(%q) : (tensor<1xf32>) -> ()
}) : () -> ()

// -----

// A launch compares sizes by name: what must be equal has one name, or kernels would read what is not there.
!q = tensor<?x?x8x64xf16, #attn.dims<rows, seq_q, heads, head_dim>>
!k = tensor<?x?x8x64xf16, #attn.dims<others, seq_k, kv_heads, head_dim>>
!v = tensor<?x?x8x64xf16, #attn.dims<others, seq_v, kv_heads, head_dim>>
!l = tensor<?x7x8xf32, #attn.dims<rows, seq_l, heads>>
!o = tensor<3x?x8x64xf16, #attn.dims<batch, seq_o, heads, head_dim>>
attn.kernel @names_of_batches(%q: !q, %k: !k, %v: !v) -> (o: !o, lse: !l) {
  // expected-error @below {{'attn.scores' op expects one name for what must be equal at launch, got 'rows' in 'q' and 'others' in 'k'}}
  %s = attn.scores %q, %k : !q, !k
  // expected-error @below {{'attn.softmax' op expects one name for what must be equal at launch, got 'seq_q' in 'q' and 'seq_l' in 'lse'}}
  %p, %lse = attn.softmax %s -> !l
  // expected-error @below {{'attn.output' op expects one name for what must be equal at launch, got 'rows' in 'q' and 'batch' in 'o'}}
  // expected-error @below {{'attn.output' op expects one name for what must be equal at launch, got 'seq_q' in 'q' and 'seq_o' in 'o'}}
  // expected-error @below {{'attn.output' op expects one name for what must be equal at launch, got 'seq_k' in 'k' and 'seq_v' in 'v'}}
  %o = attn.output %p, %v : !v -> !o
  attn.return %o, %lse : !o, !l
}

// -----

!x = tensor<?x?x8x64xf16>
!k = tensor<?x?x8x64xf16, #attn.dims<batch, seq_k, kv_heads, head_dim>>
!v = tensor<?x?x8x64xf16, #attn.dims<batch, seq_v, kv_heads, head_dim>>
!n = tensor<?xi32, #attn.dims<sequences>>
attn.kernel @names_of_lengths(%q: !x, %k: !k, %v: !v, %n: !n) -> (o: !x) {
  // expected-error @below {{'attn.dense' op expects one name for what must be equal at launch, got 'seq_k' in 'k' and 'seq_v' in 'v'}}
  // expected-error @below {{'attn.dense' op expects one name for what must be equal at launch, got 'batch' in 'k' and 'sequences' in 'n'}}
  %kv = attn.dense %k, %v[%n] : !k, !v [!n]
  %s = attn.scores %q, %kv : !x, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !x
  attn.return %o : !x
}

// -----

// Values, lengths and results are called as the keys and queries that they belong to, if nothing else is said; numbers
// that are equal need no name.
!q = tensor<?x?x8x64xf16, #attn.dims<rows, new, heads, head_dim>>
!k = tensor<?x40x8x64xf16, #attn.dims<rows, past, kv_heads, head_dim>>
!v = tensor<?x40x8x64xf16>
!o = tensor<?x?x8x64xf16>
!n = tensor<?xi32>
attn.kernel @names_that_agree(%q: !q, %k: !k, %v: !v, %n: !n) -> (o: !o, lse: tensor<?x?x8xf32>) {
  %kv = attn.dense %k, %v[%n] : !k, !v [!n]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> tensor<?x?x8xf32>
  %o = attn.output %p, %kv : !attn.seq -> !o
  attn.return %o, %lse : !o, tensor<?x?x8xf32>
}

// -----

// What names may be, they are at launch.
!x = tensor<?x?x8x64xf16, #attn.dims<b.1, n$, heads, _d>>
!k = tensor<?x?x8x64xf16>
attn.kernel @names(%_q.1: !x, %$k: !k, %v: !k) -> (o_$.1: !x) {
  %s = attn.scores %_q.1, %$k : !x, !k
  %p = attn.softmax %s
  %o = attn.output %p, %v : !k -> !x
  attn.return %o : !x
}
