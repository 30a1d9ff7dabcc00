// The rules of what sequences are made of.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

!q = tensor<?x?x8x64xf16>
!k = tensor<?x?x?x64xf16>
!v = tensor<?x?x?x?xi8>
attn.kernel @dense(%q: !q, %k: !k, %v: !v, %k2: !q, %lens: tensor<?x1xf32>) -> (o: !q) {
  // expected-error @below {{'attn.dense' op expects a static heads in 'k'}}
  // expected-error @below {{'attn.dense' op expects values of a floating-point type, got 'i8'}}
  // expected-error @below {{'attn.dense' op expects a static heads in 'v'}}
  // expected-error @below {{'attn.dense' op expects a static head_dim in 'v'}}
  // expected-error @below {{'attn.dense' op expects lengths of i32 or i64, got 'f32'}}
  // expected-error @below {{'attn.dense' op expects 'lens' of rank 1 (batch), got rank 2}}
  %kv = attn.dense %k, %v[%lens] : !k, !v [tensor<?x1xf32>]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  // expected-error @below {{'attn.dense' op expects one tensor, or keys and values, got 3 tensors}}
  // expected-error @below {{'attn.dense' op expects its result to be used: as written this line has no effect}}
  %three = attn.dense %k2, %k2, %k2 : !q, !q, !q
  attn.return %o : !q
}

// -----

!q = tensor<?x8x64xf16>
!k = tensor<?x?x8x64xi8>
attn.kernel @ragged(%q: !q, %k: !k, %ends: tensor<?xf32>) -> (o: !q) {
  // expected-error @below {{'attn.ragged' op expects row ends of i32 or i64, got 'f32'}}
  %queries = attn.ragged %q[%ends] : !q [tensor<?xf32>]
  // expected-error @below {{'attn.ragged' op expects entries of a floating-point type, got 'i8'}}
  // expected-error @below {{'attn.ragged' op expects 'k' of rank 3 (total, heads, head_dim), got rank 4}}
  // expected-error @below {{'attn.ragged' op expects row ends of i32 or i64, got 'f32'}}
  %kv = attn.ragged %k[%ends] : !k [tensor<?xf32>]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!q = tensor<?x?x8x64xf16>
!k = tensor<?x?x8x64xf16>
!v = tensor<?x16x4x64xf16>
attn.kernel @pages(%q: !q, %k: !k, %v: !v, %table: tensor<?x?x3xf32>, %lens: tensor<?xf32>) -> (o: !q) {
  // expected-error @below {{'attn.pages' op expects keys and values that differ in head_dim only, got 'tensor<?x?x8x64xf16>' and 'tensor<?x16x4x64xf16>'}}
  // expected-error @below {{'attn.pages' op expects lengths of i32 or i64, got 'f32'}}
  // expected-error @below {{'attn.pages' op expects page_table of i32 or i64, got 'f32'}}
  // expected-error @below {{'attn.pages' op expects page_table of shape (batch, max_pages), or (batch, max_runs, 2) for runs of pages, got 'tensor<?x?x3xf32>'}}
  // expected-error @below {{'attn.pages' op expects a static page_size in 'k'}}
  %kv = attn.pages %k, %v[%table, %lens] : !k, !v [tensor<?x?x3xf32>, tensor<?xf32>]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!q = tensor<?x8x64xf16>
attn.kernel @pool_rank(%q: !q, %k: !q, %ends: tensor<?xi32>, %table: tensor<?x?xi32>, %lens: tensor<?xi32>) -> (o: !q) {
  %queries = attn.ragged %q[%ends] : !q [tensor<?xi32>]
  // expected-error @below {{'attn.pages' op expects 'k' of rank 4 (pages, page_size, kv_heads, head_dim), got rank 3}}
  %kv = attn.pages %k[%table, %lens] : !q [tensor<?x?xi32>, tensor<?xi32>]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!q = tensor<?x?x8x64xf16>
attn.kernel @share(%q: !q, %k: !q, %v: !q, %rows: tensor<?x?x2xf32>) -> (o: !q) {
  %all = attn.dense %k, %v : !q, !q
  // expected-error @below {{'attn.share' op expects rows of i32 or i64, got 'f32'}}
  // expected-error @below {{'attn.share' op expects rows of shape (batch) or (batch, seq), got 'tensor<?x?x2xf32>'}}
  %kv = attn.share %all[%rows] : [tensor<?x?x2xf32>]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!q = tensor<?x?x8x64xf16>
!n = tensor<?xi32>
!p = tensor<?x?xf32>
attn.kernel @at(%q: !q, %k: !q, %v: !q, %first: !n, %positions: !p) -> (o: !q) {
  // expected-error @below {{'attn.at' op expects either [positions] or from first, got both}}
  %queries = attn.at %q[%positions] from %first : !q [!p] from !n
  %entries = attn.dense %k, %v : !q, !q
  // expected-error @below {{'attn.at' op expects either [positions] or from first, got neither}}
  %placed = attn.at %entries : !attn.seq
  // expected-error @below {{'attn.at' op expects positions of i32 or i64, got 'f32'}}
  // expected-error @below {{'attn.at' op expects one name for what must be equal at launch, got 'seq_kv' in 'k' and 'seq_q' in 'positions'}}
  %kv = attn.at %placed[%positions] : !attn.seq [!p]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!q = tensor<?x8x64xf16>
attn.kernel @at_ranks(%q: !q, %k: tensor<?x?x8xf16>, %ends: tensor<?xi32>, %p: tensor<?x?xi32>, %n: tensor<?x1xi32>)
    -> (o: !q) {
  %packed = attn.ragged %q[%ends] : !q [tensor<?xi32>]
  // expected-error @below {{'attn.at' op expects 'p' of rank 1 (total), got rank 2}}
  %queries = attn.at %packed[%p] : !attn.seq [tensor<?x?xi32>]
  // expected-error @below {{'attn.at' op expects 'k' of rank 4 (batch, seq, heads, head_dim), got rank 3}}
  // expected-error @below {{'attn.at' op expects 'n' of rank 1 (batch), got rank 2}}
  %kv = attn.at %k from %n : tensor<?x?x8xf16> from tensor<?x1xi32>
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p2 = attn.softmax %s
  %o = attn.output %p2, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!q  = tensor<?x?x8x64xf16>
!a  = tensor<?x?x8x64xf16, #attn.dims<batch, seq_a, kv_heads, head_dim>>
!b  = tensor<?x?x4x64xf16, #attn.dims<batch, seq_b, other_heads, head_dim>>
!n  = tensor<?xi32>
attn.kernel @parts(%q: !q, %ka: !a, %va: !a, %kb: !b, %vb: !b, %first: !n) -> (o: !q) {
  %a = attn.dense %ka, %va : !a, !a
  %a1 = attn.at %a from %first : !attn.seq from !n
  %b = attn.dense %kb, %vb : !b, !b
  %c = attn.dense %ka : !a
  // expected-error @below {{'attn.concat' op expects parts with the same kv_heads and head_dim, got 8 x 64/64 and 4 x 64/64}}
  // expected-error @below {{'attn.concat' op expects parts of the same number of tensors, got 2 and 1}}
  // expected-error @below {{'attn.concat' op expects positions on every part or on none}}
  %kv = attn.concat %a1, %b, %c
  %queries = attn.at %q from %first : !q from !n
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!q = tensor<?x?x8x64xf16>
attn.kernel @one_part(%q: !q, %k: !q, %v: !q) -> (o: !q) {
  %a = attn.dense %k, %v : !q, !q
  // expected-error @below {{'attn.concat' op expects two sequences or more, got 1}}
  %kv = attn.concat %a
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!q  = tensor<?x?x8x64xf16>
!k  = tensor<?x?x8x64xf16>
!p1 = tensor<?x16x8x64xf16>
!p2 = tensor<?x32x8x64xf16>
!t  = tensor<?x?xi32>
!n  = tensor<?xi32>
attn.kernel @names(%q: !q, %k: !k, %k_new: !k, %pool: !p1, %pool2: !p2, %t: !t, %t2: !t, %n: !n) -> (o: !q) {
  %a = attn.dense %k : !k
  %b = attn.dense %k_new : !k
  %c = attn.pages %pool[%t, %n] : !p1 [!t, !n]
  %d = attn.pages %pool2[%t2, %n] : !p2 [!t, !n]
  // expected-error @below {{'attn.concat' op expects #attn.dims on 'k' and 'k_new': both would call their length 'seq_kv'}}
  // expected-error @below {{'attn.concat' op expects #attn.dims on 'pool' and 'pool2': both would call their number of pages 'pages'}}
  // expected-error @below {{'attn.concat' op expects #attn.dims on 'pool' and 'pool2': both would call their size of pages 'page_size'}}
  // expected-error @below {{'attn.concat' op expects #attn.dims on 't' and 't2': both would call their length 'max_pages'}}
  %kv = attn.concat %a, %b, %c, %d
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!x = tensor<?x?x8x64xf16>
!n = tensor<?xi32>
!k = tensor<?x1x4x64xi8>
attn.kernel @append(%k_new: !k, %k: !x, %k2: !x, %lens: !n, %first: !n) {
  %cache = attn.dense %k[%lens] : !x [!n]
  // expected-error @below {{'attn.append' op expects entries of a floating-point type, got 'i8'}}
  // expected-error @below {{'attn.append' op expects new entries like those of the cache, 1 of 8 x 64 x f16, got 1 of 4 x 64 x i8}}
  attn.append %k_new to %cache : !k
  %placed = attn.at %cache from %first : !attn.seq from !n
  // expected-error @below {{'attn.append' op expects a cache made by attn.dense or attn.pages, got 'attn.at'}}
  attn.append %k2 to %placed : !x
  attn.return
}

// -----

!x = tensor<?x?x8x64xf16>
!y = tensor<?x?x8x32xf16>
attn.kernel @append_to_result(%q: !x, %k: !x, %v: !x, %k_new: !x, %v_new: !y) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  // expected-error @below {{'attn.dense' op expects one name for what must be equal at launch, got 'seq_q' in 'o' and 'seq_kv' in 'v'}}
  %cache = attn.dense %o, %v : !x, !x
  %new = attn.dense %k_new, %v_new : !x, !y
  // expected-error @below {{'attn.append' op expects a cache that lies in arguments of the kernel, got the result of 'attn.output'}}
  // expected-error @below {{'attn.append' op expects new entries like those of the cache, 2 of 8 x 64 x f16, got 2 of 8 x 64/32 x f16}}
  attn.append %new to %cache : !attn.seq
  attn.return %o : !x
}

// -----

// What a launch compares by name must have one: tables, row ends, positions, and rows of others.
!q     = tensor<?x?x8x64xf16>
!r     = tensor<?x8x64xf16>
!r2    = tensor<?x8x64xf16, #attn.dims<others, kv_heads, head_dim>>
!pool  = tensor<?x16x8x64xf16>
!pool2 = tensor<?x16x8x64xf16, #attn.dims<others, page_size, kv_heads, head_dim>>
!t     = tensor<?x?xi32>
!n     = tensor<?xi32>
!any   = tensor<?xi32, #attn.dims<any>>
attn.kernel @tables(%q: !q, %k: !pool, %v: !pool2, %t: !t, %n: !any, %rows: !any, %first: !any) -> (o: !q) {
  // expected-error @below {{'attn.pages' op expects one name for what must be equal at launch, got 'pages' in 'k' and 'others' in 'v'}}
  // expected-error @below {{'attn.pages' op expects one name for what must be equal at launch, got 'shared_batch' in 't' and 'any' in 'n'}}
  %all = attn.pages %k, %v[%t, %n] : !pool, !pool2 [!t, !any]
  %kv = attn.share %all[%rows] : [!any]
  // expected-error @below {{'attn.at' op expects one name for what must be equal at launch, got 'batch' in 'q' and 'any' in 'first'}}
  %queries = attn.at %q from %first : !q from !any
  // expected-error @below {{'attn.scores' op expects one name for what must be equal at launch, got 'batch' in 'q' and 'any' in 'rows'}}
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
attn.kernel @packed(%q: !r, %k: !r, %v: !r2, %ends: !n, %any: !any) -> (o: !r2) {
  %all = attn.ragged %q[%ends] : !r [!n]
  // expected-error @below {{'attn.at' op expects one name for what must be equal at launch, got 'total_q' in 'q' and 'any' in 'any'}}
  %queries = attn.at %all[%any] : !attn.seq [!any]
  // expected-error @below {{'attn.ragged' op expects one name for what must be equal at launch, got 'total_kv' in 'k' and 'others' in 'v'}}
  %kv = attn.ragged %k, %v[%any] : !r, !r2 [!any]
  // expected-error @below {{'attn.scores' op expects one name for what must be equal at launch, got 'batch_ends' in 'ends' and 'any' in 'any'}}
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p = attn.softmax %s
  // expected-error @below {{'attn.output' op expects one name for what must be equal at launch, got 'total_q' in 'q' and 'others' in 'o'}}
  %o = attn.output %p, %kv : !attn.seq -> !r2
  attn.return %o : !r2
}

// -----

// Parts that are shared may have batches of their own; positions of what lies in pages have lengths of their own.
!q     = tensor<?x?x8x64xf16>
!a     = tensor<?x?x8x64xf16, #attn.dims<shared_batch, seq_a, kv_heads, head_dim>>
!pool  = tensor<?x16x8x64xf16>
!pool2 = tensor<?x16x8x64xf16, #attn.dims<pages2, page_size, kv_heads, head_dim>>
!one   = tensor<1x?x8x64xf16, #attn.dims<one, seq_one, kv_heads, head_dim>>
!r     = tensor<?x8x64xf16>
!r2    = tensor<?x8x64xf16, #attn.dims<total2, kv_heads, head_dim>>
!n     = tensor<?xi32>
!t     = tensor<?x?xi32>
!t2    = tensor<?x?xi32, #attn.dims<batch, max2>>
!d     = tensor<?x?x8x64xf16>
attn.kernel @shared_parts(%q: !q, %k: !d, %k2: !one, %p1: !pool, %t1: !t, %n: !n, %r: !r,
                          %r2: !r2, %e: !n, %e2: !n, %rows: !t, %rows2: !t) -> (o: !q) {
  %a = attn.dense %k : !d
  %b = attn.dense %k2 : !one
  %c = attn.pages %p1[%t1, %n] : !pool [!t, !n]
  %e1 = attn.ragged %r[%e] : !r [!n]
  %f = attn.ragged %r2[%e2] : !r2 [!n]
  %a1 = attn.share %a
  %b1 = attn.share %b
  %c1 = attn.share %c[%rows] : [!t]
  %e3 = attn.share %e1
  %f1 = attn.share %f[%rows2] : [!t]
  // expected-error @below {{'attn.concat' op expects #attn.dims on 'k' and 't1': both would call their batch 'shared_batch'}}
  // expected-error @below {{'attn.concat' op expects #attn.dims on 'k' and 'rows': both would call their length 'seq_kv'}}
  // expected-error @below {{'attn.concat' op expects #attn.dims on 'k' and 'rows2': both would call their length 'seq_kv'}}
  // expected-error @below {{'attn.concat' op expects #attn.dims on 'e' and 'e2': both would call their batch 'shared_batch_ends'}}
  %kv = attn.concat %a1, %b1, %c1, %e3, %f1
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
attn.kernel @placed_parts(%q: !q, %p1: !pool, %p2: !pool2, %t1: !t, %t2: !t2, %n: !n, %at: !t, %at2: !t) -> (o: !q) {
  %a = attn.pages %p1[%t1, %n] : !pool [!t, !n]
  %b = attn.pages %p2[%t2, %n] : !pool2 [!t2, !n]
  %a1 = attn.at %a[%at] : !attn.seq [!t]
  %b1 = attn.at %b[%at2] : !attn.seq [!t]
  // expected-error @below {{'attn.concat' op expects #attn.dims on 'at' and 'at2': both would call their number of positions 'max_positions'}}
  %kv = attn.concat %a1, %b1
  %queries = attn.at %q from %n : !q from !n
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

!x   = tensor<?x?x8x64xf16>
!new = tensor<?x?x8x64xf16, #attn.dims<others, seq_new, kv_heads, head_dim>>
attn.kernel @append_batch(%new: !new, %k: !x) {
  %cache = attn.dense %k : !x
  // expected-error @below {{'attn.append' op expects one name for what must be equal at launch, got 'batch' in 'k' and 'others' in 'new'}}
  attn.append %new to %cache : !new
  attn.return
}
