// The rules of scores, softmax, output and merge.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

!q  = tensor<1x64x30x128xbf16>
!kv = tensor<1x64x8x128xbf16>
attn.kernel @groups(%q: !q, %k: !kv, %v: !kv) -> (o: !q) {
  // expected-error @below {{'attn.scores' op expects the number of query heads to be a multiple of the number of key heads, got 30 and 8}}
  %s = attn.scores %q, %k : !q, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}

// -----

!q  = tensor<8x64x8x128xbf16>
!kv = tensor<1x64x8x128xbf16>
attn.kernel @batch(%q: !q, %k: !kv, %v: !kv) -> (o: !q) {
  // expected-error @below {{'attn.scores' op expects query and keys with the same batch, got 8 and 1: see attn.share}}
  %s = attn.scores %q, %k : !q, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}

// -----

// Each part of a concat is held to the batch; so is a page table.
!q     = tensor<8x1x8x128xbf16>
!kv    = tensor<8x64x8x128xbf16>
!pool  = tensor<?x16x8x128xbf16>
!table = tensor<4x?xi32, #attn.dims<four, max_pages>>
!lens  = tensor<4xi32, #attn.dims<four>>
attn.kernel @batch_of_parts(%q: !q, %k: !kv, %v: !kv, %kp: !pool, %vp: !pool, %table: !table, %lens: !lens) -> (o: !q) {
  %a = attn.dense %k, %v : !kv, !kv
  %b = attn.pages %kp, %vp[%table, %lens] : !pool, !pool [!table, !lens]
  %kv = attn.concat %a, %b
  // expected-error @below {{'attn.scores' op expects query and keys with the same batch, got 8 and 4: see attn.share}}
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!r = tensor<?x8x64xf16>
attn.kernel @batch_of_ragged(%q: !r, %k: !r, %a: tensor<5xi32, #attn.dims<a>>, %b: tensor<6xi32, #attn.dims<b>>) -> (o: !r) {
  %queries = attn.ragged %q[%a] : !r [tensor<5xi32, #attn.dims<a>>]
  %keys = attn.ragged %k[%b] : !r [tensor<6xi32, #attn.dims<b>>]
  // expected-error @below {{'attn.scores' op expects query and keys with the same batch, got 4 and 5: see attn.share}}
  %s = attn.scores %queries, %keys : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %keys : !attn.seq -> !r
  attn.return %o : !r
}

// -----

!q = tensor<?x8x64xi32>
!k = tensor<?x?x?x?xi8>
attn.kernel @tensors(%q: !q, %k: !k, %v: !k) -> (o: !q) {
  // expected-error @below {{'attn.scores' op expects a query of a floating-point type, got 'i32'}}
  // expected-error @below {{'attn.scores' op expects 'q' of rank 4 (batch, seq_q, heads, head_dim), got rank 3}}
  // expected-error @below {{'attn.scores' op expects keys of a floating-point type, got 'i8'}}
  // expected-error @below {{'attn.scores' op expects a static kv_heads in 'k'}}
  // expected-error @below {{'attn.scores' op expects a static head_dim in 'k'}}
  %s = attn.scores %q, %k : !q, !k
  %p = attn.softmax %s
  // expected-error @below {{'attn.output' op expects an output of a floating-point type, got 'i32'}}
  // expected-error @below {{'attn.output' op expects values of a floating-point type, got 'i8'}}
  // expected-error @below {{'attn.output' op expects a static kv_heads in 'v'}}
  // expected-error @below {{'attn.output' op expects a static head_dim in 'v'}}
  %o = attn.output %p, %v : !k -> !q
  attn.return %o : !q
}

// -----

!x = tensor<?x?x8x64xf16>
!n = tensor<?xi32>
attn.kernel @align(%q: !x, %k: !x, %v: !x, %first: !n) -> (o: !x) {
  %queries = attn.at %q from %first : !x from !n
  // expected-error @below {{'attn.scores' op expects no align where the query has positions of its own (attn.at)}}
  %s = attn.scores %queries, %k align start : !attn.seq, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
!n = tensor<?xi32>
attn.kernel @one_side(%q: !x, %k: !x, %v: !x, %first: !n) -> (o: !x) {
  %entries = attn.dense %k, %v : !x, !x
  %kv = attn.at %entries from %first : !attn.seq from !n
  // expected-error @below {{'attn.scores' op expects positions for the query (attn.at), since the keys have positions of their own}}
  %s = attn.scores %q, %kv : !x, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x16x8x64xf16>
attn.kernel @paged_query(%q: !x, %k: !x, %v: !x, %table: tensor<?x?xi32>, %lens: tensor<?xi32>) -> (o: !x) {
  %queries = attn.pages %q[%table, %lens] : !x [tensor<?x?xi32>, tensor<?xi32>]
  // expected-error @below {{'attn.scores' op expects a query that is dense or ragged, got 'attn.pages'}}
  %s = attn.scores %queries, %k : !attn.seq, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @query_of_two(%q: !x, %q2: !x, %k: !x, %v: !x) -> (o: !x) {
  %queries = attn.dense %q, %q2 : !x, !x
  // expected-error @below {{'attn.scores' op expects a query of one tensor, got a sequence of keys and values}}
  %s = attn.scores %queries, %k : !attn.seq, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @other_values(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %a = attn.dense %k, %v : !x, !x
  %b = attn.dense %v, %k : !x, !x
  // expected-note @below {{the scores are computed here}}
  %s = attn.scores %q, %a : !x, !attn.seq
  %p = attn.softmax %s
  // expected-error @below {{'attn.output' op expects the sequence whose keys the scores were computed on, got another}}
  %o = attn.output %p, %b : !attn.seq -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @tensor_beside_sequence(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %keys = attn.dense %k : !x
  // expected-note @below {{the scores are computed here}}
  %s = attn.scores %q, %keys : !x, !attn.seq
  %p = attn.softmax %s
  // expected-error @below {{'attn.output' op expects the sequence whose keys the scores were computed on, got the tensor 'v'}}
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// Keys that are their own values may give their first columns, not more.
!q = tensor<?x1x16x576xbf16>
!c = tensor<?x64x1x576xbf16>
!o = tensor<?x1x16x640xbf16>
attn.kernel @latent(%q: !q, %c: !c, %table: tensor<?x?xi32>, %lens: tensor<?xi32>) -> (o: !o) {
  %kv = attn.pages %c[%table, %lens] : !c [tensor<?x?xi32>, tensor<?xi32>]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  // expected-error @below {{'attn.output' op expects an output of at most 'tensor<?x1x16x576xbf16>', got 'tensor<?x1x16x640xbf16>'}}
  %o = attn.output %p, %kv : !attn.seq -> !o
  attn.return %o : !o
}

// -----

!part = tensor<?x1x8x64xf32>
!stat = tensor<?x1x8xf32>
attn.kernel @merge_count(%o1: !part, %o2: !part, %lse1: !stat) -> (o: !part) {
  // expected-error @below {{'attn.merge' op expects one lse per partial output, got 2 outputs and 1 lse}}
  %o = attn.merge %o1, %o2 lse %lse1 : (!part, !part, !stat) -> !part
  attn.return %o : !part
}

// -----

!part = tensor<?x1x8x64xf32>
!stat = tensor<?x1x8xf32>
!bad  = tensor<?x8x1xf32>
!flat = tensor<?x1x512xf32>
!fstat = tensor<?x1xf32>
attn.kernel @merge_shapes(%o1: !part, %o2: !flat, %lse1: !bad, %lse2: !fstat, %sink: tensor<4xf32>)
    -> (o: !part, lse: !bad) {
  // expected-error @below {{'attn.merge' op expects an lse of 'tensor<?x1x8xf32>' for 'o1', got 'tensor<?x8x1xf32>'}}
  // expected-error @below {{'attn.merge' op expects parts of the shape of the result, or stacks of them with one more dimension in front, got 'tensor<?x1x512xf32>' for 'tensor<?x1x8x64xf32>'}}
  // expected-error @below {{'attn.merge' op expects a sink of tensor<8xf32>: one logit per head, got 'tensor<4xf32>'}}
  // expected-error @below {{'attn.merge' op expects an lse of type 'tensor<?x1x8xf32>': one value per query row and head, got 'tensor<?x8x1xf32>'}}
  %o, %lse = attn.merge %o1, %o2 lse %lse1, %lse2 sink %sink
             : (!part, !flat, !bad, !fstat, tensor<4xf32>) -> (!part, !bad)
  attn.return %o, %lse : !part, !bad
}

// -----

attn.kernel @merge_rank(%o1: tensor<8xf32>, %lse1: tensor<f32>) -> (o: tensor<8xf32>) {
  // expected-error @below {{'attn.merge' op expects an output of rank 3 or 4, got 'tensor<8xf32>'}}
  %o = attn.merge %o1 lse %lse1 : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
  attn.return %o : tensor<8xf32>
}

// -----

!part = tensor<?x1x8x64xf32>
!ints = tensor<?x1x8x64xi32>
!stat = tensor<?x1x8xf32>
attn.kernel @merge_types(%o1: !ints, %lse1: !stat) -> (o: !ints) {
  // expected-error @below {{'attn.merge' op expects an output of a floating-point type, got 'i32'}}
  // expected-error @below {{'attn.merge' op expects partial outputs of a floating-point type, got 'i32'}}
  %o = attn.merge %o1 lse %lse1 : (!ints, !stat) -> !ints
  attn.return %o : !ints
}

// -----

!part  = tensor<?x1x8x64xf32>
!other = tensor<?x1x8x64xf32, #attn.dims<others, one, heads, head_dim>>
!stat  = tensor<?x1x8xf32>
!stats = tensor<?x?x1x8xf32, #attn.dims<few, others, one, heads>>
!parts = tensor<?x?x1x8x64xf32>
attn.kernel @merge_names(%o1: !other, %o2: !parts, %lse1: !stat, %lse2: !stats) -> (o: !part) {
  // expected-error @below {{'attn.merge' op expects one name for what must be equal at launch, got 'batch' in 'o' and 'others' in 'o1'}}
  // expected-error @below {{'attn.merge' op expects one name for what must be equal at launch, got 'others' in 'o1' and 'batch' in 'lse1'}}
  // expected-error @below {{'attn.merge' op expects one name for what must be equal at launch, got 'parts' in 'o2' and 'few' in 'lse2'}}
  // expected-error @below {{'attn.merge' op expects one name for what must be equal at launch, got 'batch' in 'o2' and 'others' in 'lse2'}}
  %o = attn.merge %o1, %o2 lse %lse1, %lse2 : (!other, !parts, !stat, !stats) -> !part
  attn.return %o : !part
}

// -----

attn.kernel @merge_nothing() -> (o: tensor<1x2x8xf32>) {
  // expected-error @below {{'attn.merge' op expects a partial output or more, got none}}
  %o = attn.merge lse : () -> tensor<1x2x8xf32>
  attn.return %o : tensor<1x2x8xf32>
}
