// The rules of reweight, sums and select.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

!q    = tensor<?x64x8x128xbf16>
!kv   = tensor<?x96x2x128xbf16>
!sums = tensor<?x8x96xf32, #attn.dims<batch, heads, seq_kv>>
!few  = tensor<?x2x96xf32>
!half = tensor<?x8x96xf16>
!long = tensor<?x8x64xf32>
func.func @first(%b: index, %h: index, %q: index, %kv: index, %n: index) -> i1 {
  %visible = arith.cmpi slt, %q, %n : index
  return %visible : i1
}
// expected-note @below {{the function is here}}
func.func @twice(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %y = arith.addf %w, %w : f32
  return %y : f32
}
attn.kernel @sums(%q: !q, %k: !kv, %v: !kv, %n: index)
    -> (o: !q, a: !sums, b: !few, c: !half, d: !long, e: !sums, f: !long, g: !sums) {
  %s = attn.scores %q, %k : !q, !kv
  %p = attn.softmax %s
  // expected-error @below {{'attn.reweight' op expects its result to be used: as written this line has no effect}}
  %unused = attn.reweight %p by @twice
  // expected-note @below {{this line reads what it was given instead}}
  %r = attn.reweight %p by @twice
  // expected-error @below {{'attn.sums' op expects a function (by @f) that the parameters are for}}
  %a = attn.sums %r per key (%n : index) -> !sums
  // expected-error @below {{'attn.sums' op expects sums of 'tensor<?x8x96xf32>': one value per sequence, head and key, got 'tensor<?x2x96xf32>'}}
  %b = attn.sums %r per key -> !few
  // expected-error @below {{'attn.sums' op expects sums of 'tensor<?x8x96xf32>': one value per sequence, head and key, got 'tensor<?x8x96xf16>'}}
  %c = attn.sums %r per key -> !half
  // expected-error @below {{'attn.sums' op expects sums of 'tensor<?x8x96xf32>': one value per sequence, head and key, got 'tensor<?x8x64xf32>'}}
  %d = attn.sums %r per key -> !long
  %e = attn.sums %r per distance by @first (%n : index) -> !sums
  %f = attn.sums %r per distance -> !long
  // expected-error @below {{'attn.sums' op expects @twice to be '(index, index, index, index) -> i1' (b, h, q, kv, then the parameters given here), got '(f32, index, index, index, index) -> f32'}}
  %g = attn.sums %r per key by @twice -> !sums
  %o = attn.output %r, %v : !kv -> !q
  attn.return %o, %a, %b, %c, %d, %e, %f, %g : !q, !sums, !few, !half, !long, !sums, !long, !sums
}

// -----

!q    = tensor<4x64x8x128xbf16>
!sums = tensor<4x8xf32>
attn.kernel @distances(%q: !q, %k: !q) -> (a: !sums) {
  %s = attn.scores %q, %k : !q, !q
  %p = attn.softmax %s
  // expected-error @below {{'attn.sums' op expects sums of 'tensor<4x8x?xf32>': one value per sequence, head and distance, got 'tensor<4x8xf32>'}}
  %a = attn.sums %p per distance -> !sums
  attn.return %a : !sums
}

// -----

// What must be equal at launch has one name.
!q    = tensor<?x?x8x128xbf16>
!sums = tensor<?x8x?xf32, #attn.dims<rows, heads, keys>>
attn.kernel @names(%q: !q, %k: !q) -> (a: !sums, b: !sums) {
  %s = attn.scores %q, %k : !q, !q
  %p = attn.softmax %s
  // expected-error @below {{expects one name for what must be equal at launch, got 'batch' in 'q' and 'rows' in 'a'}}
  // expected-error @below {{expects one name for what must be equal at launch, got 'seq_kv' in 'k' and 'keys' in 'a'}}
  %a = attn.sums %p per key -> !sums
  // expected-error @below {{expects one name for what must be equal at launch, got 'batch' in 'q' and 'rows' in 'b'}}
  %b = attn.sums %p per distance -> !sums
  attn.return %a, %b : !sums, !sums
}

// -----

!sums  = tensor<?x8x?xf32, #attn.dims<batch, heads, seq_kv>>
!list  = tensor<?x8x?xi32, #attn.dims<batch, heads, most>>
!count = tensor<?x8xi32, #attn.dims<batch, heads>>
!n     = tensor<?xi32>
attn.kernel @both(%sums: !sums, %k: index, %a: f32) -> (list: !list, count: !count, more: !list, counts: !count) {
  // expected-error @below {{'attn.select' op expects either top or cover, got both}}
  %list, %count = attn.select %sums top %k cover %a : (!sums, index, f32) -> (!list, !count)
  // expected-error @below {{'attn.select' op expects either top or cover, got neither}}
  %more, %counts = attn.select %sums : (!sums) -> (!list, !count)
  attn.return %list, %count, %more, %counts : !list, !count, !list, !count
}

// -----

!sums  = tensor<?x8x?xf32, #attn.dims<batch, heads, seq_kv>>
!list  = tensor<?x8x?xf32, #attn.dims<batch, heads, most>>
!other = tensor<?x4x?xi32, #attn.dims<batch, heads, most>>
!count = tensor<?x8x1xi32>
!n     = tensor<?x8xi32, #attn.dims<batch, heads>>
attn.kernel @shapes(%sums: !sums, %k: index, %below: !n) -> (list: !list, count: !n, more: !list, counts: !count) {
  // expected-error @below {{'attn.select' op expects a list of integers of rank 3, with a row for each of 'tensor<?x8x?xf32, #attn.dims<batch, heads, seq_kv>>', got 'tensor<?x8x?xf32, #attn.dims<batch, heads, most>>'}}
  // expected-error @below {{'attn.select' op expects integers of rank 1 below, one per sequence, got 'tensor<?x8xi32, #attn.dims<batch, heads>>'}}
  %list, %count = attn.select %sums top %k below %below : (!sums, index, !n) -> (!list, !n)
  // expected-error @below {{'attn.select' op expects a list of integers of rank 3}}
  // expected-error @below {{'attn.select' op expects one count per row, of 'tensor<?x8xf32>', got 'tensor<?x8x1xi32>'}}
  %more, %counts = attn.select %sums top %k : (!sums, index) -> (!list, !count)
  attn.return %list, %count, %more, %counts : !list, !n, !list, !count
}

// -----

!sums  = tensor<?x?x8x4xf32, #attn.dims<batch, seq_q, heads, seq_kv>>
!list  = tensor<?x8x?xi32, #attn.dims<batch, heads, most>>
!count = tensor<?x8xi32, #attn.dims<batch, heads>>
attn.kernel @rank(%sums: !sums, %k: index) -> (list: !list, count: !count) {
  // expected-error @below {{'attn.select' op expects sums of rank 3 (batch, heads, entries) and f32, got 'tensor<?x?x8x4xf32, #attn.dims<batch, seq_q, heads, seq_kv>>'}}
  %list, %count = attn.select %sums top %k : (!sums, index) -> (!list, !count)
  attn.return %list, %count : !list, !count
}

// -----

!sums  = tensor<?x8x?xf32>
!list  = tensor<?x8x?xi32, #attn.dims<rows, heads, most>>
!count = tensor<?x8xi32>
!n     = tensor<?xi32, #attn.dims<sequences>>
attn.kernel @names(%sums: !sums, %k: index, %below: !n) -> (list: !list, count: !count) {
  // expected-error @below {{expects one name for what must be equal at launch, got 'batch' in 'sums' and 'rows' in 'list'}}
  // expected-error @below {{expects one name for what must be equal at launch, got 'batch' in 'sums' and 'sequences' in 'below'}}
  %list, %count = attn.select %sums top %k below %below : (!sums, index, !n) -> (!list, !count)
  attn.return %list, %count : !list, !count
}
