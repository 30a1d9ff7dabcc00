// Attention of real systems, said in the dialect: each parses, keeps the rules with the library's functions linked in,
// and prints as something that reads back the same.
// RUN: attn-opt %s -split-input-file -link-library -o %t
// RUN: attn-opt %t -split-input-file -link-library | diff %t -

// gpt-oss: a window of 128, and a learned logit per head in the denominator.
!q = tensor<?x?x64x64xbf16>
!kv = tensor<?x?x8x64xbf16>
!sink = tensor<64xf32>
attn.kernel @window_with_sink(%q: !q, %k: !kv, %v: !kv, %sink: !sink) -> (o: !q) {
  %window_left = arith.constant 127 : index
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @sliding_window(%window_left) : index
  %p = attn.softmax %m sink %sink : !sink
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}

// -----

// DeepSeek-V3: keys of 192 beside values of 128; in decode one latent per token is key and, in its first 512 columns, value.
!qk = tensor<?x?x128x192xbf16>
!v = tensor<?x?x128x128xbf16>
attn.kernel @mla_prefill(%q: !qk, %k: !qk, %v: !v) -> (o: !v) {
  %s = attn.scores %q, %k : !qk, !qk
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !v -> !v
  attn.return %o : !v
}
!absorbed = tensor<?x1x128x576xbf16>
!latent = tensor<?x64x1x576xbf16>
!table = tensor<?x?xi32>
!lens = tensor<?xi32>
!o = tensor<?x1x128x512xbf16>
attn.kernel @mla_decode(%q: !absorbed, %latent: !latent, %page_table: !table, %kv_lens: !lens) -> (o: !o)
    schedule<decode, num_splits = 16> {
  %scale = arith.constant 0.0721687824 : f32
  %kv = attn.pages %latent[%page_table, %kv_lens] : !latent [!table, !lens]
  %s = attn.scores %q, %kv scale %scale : !absorbed, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !o
  attn.return %o : !o
}

// -----

// A paged cache: a chunk of a prompt, a step of decoding over runs of pages, and the step that appends.
!q = tensor<?x?x32x128xbf16>
!kv = tensor<?x?x8x128xbf16>
!pool = tensor<?x16x8x128xbf16>
!table = tensor<?x?xi32>
!runs = tensor<?x?x2xi32>
!lens = tensor<?xi32>
attn.kernel @chunked_prefill(%q: !q, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens) -> (o: !q) {
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
attn.kernel @page_runs(%q: !q, %k_pool: !pool, %v_pool: !pool, %runs: !runs, %kv_lens: !lens) -> (o: !q) {
  %kv = attn.pages %k_pool, %v_pool[%runs, %kv_lens] : !pool, !pool [!runs, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
attn.kernel @append(%k_new: !kv, %v_new: !kv, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens) {
  %new = attn.dense %k_new, %v_new : !kv, !kv
  %cache = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  attn.append %new to %cache : !attn.seq
  attn.return
}

// -----

// Verification of a speculative tree: a draft token sees the past, itself and its ancestors, which are bits of a word.
!q = tensor<?x?x32x128xbf16>
!pool = tensor<?x16x8x128xbf16>
!table = tensor<?x?xi32>
!lens = tensor<?xi32>
!bits = tensor<?x64xi64, #attn.dims<batch, seq_q>>
attn.kernel @verify_tree(%q: !q, %k: !pool, %v: !pool, %page_table: !table, %kv_lens: !lens, %ancestors: !bits) -> (o: !q) {
  %kv = attn.pages %k, %v[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @tree(%ancestors) : !bits
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
func.func @tree(%b: index, %h: index, %q: index, %kv: index, %ancestors: tensor<?x?xi64>) -> i1 {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : i64
  %row = attn.row
  %first = arith.subi %q, %row : index
  %node = arith.subi %kv, %first : index
  %past = arith.cmpi slt, %node, %zero : index
  %bit = arith.maxsi %node, %zero : index
  %shift = arith.index_cast %bit : index to i64
  %word = tensor.extract %ancestors[%b, %row] : tensor<?x?xi64>
  %shifted = arith.shrui %word, %shift : i64
  %low = arith.andi %shifted, %one : i64
  %ancestor = arith.cmpi eq, %low, %one : i64
  %visible = arith.ori %past, %ancestor : i1
  return %visible : i1
}

// -----

// Sequences packed without padding.
!q = tensor<?x32x128xbf16>
!kv = tensor<?x8x128xbf16>
!indptr = tensor<?xi32>
!lse = tensor<?x32xf32>
attn.kernel @ragged_prefill(%q: !q, %k: !kv, %v: !kv, %qo_indptr: !indptr, %kv_indptr: !indptr) -> (o: !q, lse: !lse) {
  %queries = attn.ragged %q[%qo_indptr] : !q [!indptr]
  %kv = attn.ragged %k, %v[%kv_indptr] : !kv, !kv [!indptr]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %m = attn.mask %s by @causal
  %p, %lse = attn.softmax %m -> !lse
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !lse
}

// -----

// Three places in turn: a prompt that all share, a paged past of one's own, the tokens of this step.
!q = tensor<?x?x32x128xbf16, #attn.dims<batch, seq_q, heads, head_dim>>
!prefix = tensor<1x?x8x128xbf16, #attn.dims<one, seq_prefix, kv_heads, head_dim>>
!new = tensor<?x?x8x128xbf16, #attn.dims<batch, seq_q, kv_heads, head_dim>>
!pool = tensor<?x16x8x128xbf16>
!table = tensor<?x?xi32>
!lens = tensor<?xi32>
attn.kernel @shared_prefix(%q: !q, %k0: !prefix, %v0: !prefix, %k1: !pool, %v1: !pool, %page_table: !table,
                           %page_lens: !lens, %k2: !new, %v2: !new) -> (o: !q) {
  %prompt = attn.dense %k0, %v0 : !prefix, !prefix
  %prefix = attn.share %prompt
  %past = attn.pages %k1, %v1[%page_table, %page_lens] : !pool, !pool [!table, !lens]
  %new = attn.dense %k2, %v2 : !new, !new
  %kv = attn.concat %prefix, %past, %new
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

// Beam search: beams of a request share its prompt, and each generated token says in whose row it lies.
!q = tensor<?x1x16x128xf16, #attn.dims<beams, one, heads, head_dim>>
!prompt = tensor<?x?x16x128xf16, #attn.dims<requests, seq_prompt, kv_heads, head_dim>>
!answer = tensor<?x?x16x128xf16, #attn.dims<beams, seq_answer, kv_heads, head_dim>>
!row_of = tensor<?x?xi32, #attn.dims<beams, seq_answer>>
!p_lens = tensor<?xi32, #attn.dims<requests>>
!a_lens = tensor<?xi32, #attn.dims<beams>>
attn.kernel @beams(%q: !q, %k0: !prompt, %v0: !prompt, %prompt_lens: !p_lens, %k1: !answer, %v1: !answer,
                   %answer_lens: !a_lens, %row_of: !row_of) -> (o: !q) {
  %prompts = attn.dense %k0, %v0[%prompt_lens] : !prompt, !prompt [!p_lens]
  %prompt = attn.share %prompts
  %answers = attn.dense %k1, %v1[%answer_lens] : !answer, !answer [!a_lens]
  %answer = attn.share %answers[%row_of] : [!row_of]
  %kv = attn.concat %prompt, %answer
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

// A cache from which keys were dropped: those that are left keep their positions.
!q = tensor<?x1x32x128xbf16>
!kv = tensor<?x?x8x128xbf16>
!n = tensor<?xi32>
!at = tensor<?x?xi32>
attn.kernel @evicted(%q: !q, %k: !kv, %v: !kv, %kv_lens: !n, %positions: !at, %now: !n) -> (o: !q) {
  %window_left = arith.constant 4095 : index
  %left = attn.dense %k, %v[%kv_lens] : !kv, !kv [!n]
  %kv = attn.at %left[%positions] : !attn.seq [!at]
  %queries = attn.at %q from %now : !q from !n
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %m = attn.mask %s by @sliding_window(%window_left) : index
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

// Every mask of the library, one behind the other.
!x = tensor<?x?x16x128xbf16, #attn.dims<batch, seq, heads, head_dim>>
!lens = tensor<?xi32, #attn.dims<batch>>
!ids = tensor<?x?xi32, #attn.dims<batch, seq>>
!slopes = tensor<16xf32>
attn.kernel @library(%q: !x, %k: !x, %v: !x, %prefix_lens: !lens, %document: !ids, %slopes: !slopes, %cap: f32)
    -> (o: !x) {
  %n = arith.constant 512 : index
  %s = attn.scores %q, %k : !x, !x
  %c0 = attn.modify %s by @softcap(%cap) : f32
  %c1 = attn.modify %c0 by @alibi(%slopes) : !slopes
  %m0 = attn.mask %c1 by @prefix_lm(%prefix_lens) : !lens
  %m1 = attn.mask %m0 by @same_chunk(%n) : index
  %m2 = attn.mask %m1 by @same_document(%document) : !ids
  %m3 = attn.mask %m2 by @dilated(%n) : index
  %m4 = attn.mask %m3 by @streaming(%n, %n) : index, index
  %m5 = attn.mask %m4 by @band(%n, %n) : index, index
  %m6 = attn.mask %m5 by @sliding_window(%n) : index
  %m7 = attn.mask %m6 by @causal
  %p = attn.softmax %m7
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// A bias and a mask of booleans as tensors, queries and keys aligned at their start.
!q = tensor<?x?x16x64xf16, #attn.dims<batch, seq_q, heads, head_dim>>
!kv = tensor<?x?x16x64xf16, #attn.dims<batch, seq_kv, kv_heads, head_dim>>
!bias = tensor<?x16x?x?xf32, #attn.dims<batch, heads, seq_q, seq_kv>>
!bool = tensor<?x16x?x?xi1, #attn.dims<batch, heads, seq_q, seq_kv>>
attn.kernel @tensors(%q: !q, %k: !kv, %v: !kv, %bias: !bias, %seen: !bool, %scale: f32) -> (o: !q) {
  %s = attn.scores %q, %k scale %scale align start : !q, !kv
  %b = attn.modify %s by @bias(%bias) : !bias
  %m = attn.mask %b by @seen(%seen) : !bool
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
func.func @bias(%score: f32, %b: index, %h: index, %q: index, %kv: index, %bias: tensor<?x?x?x?xf32>) -> f32 {
  %row = attn.row
  %column = attn.column
  %x = tensor.extract %bias[%b, %h, %row, %column] : tensor<?x?x?x?xf32>
  %y = arith.addf %score, %x : f32
  return %y : f32
}
func.func @seen(%b: index, %h: index, %q: index, %kv: index, %seen: tensor<?x?x?x?xi1>) -> i1 {
  %row = attn.row
  %column = attn.column
  %visible = tensor.extract %seen[%b, %h, %row, %column] : tensor<?x?x?x?xi1>
  return %visible : i1
}

// -----

// Butterfly sparsity: blocks whose numbers are equal or differ in one bit.
!x = tensor<?x?x8x64xf16>
attn.kernel @butterfly_blocks(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @butterfly
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
func.func @butterfly(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %block = arith.constant 128 : index
  %one = arith.constant 1 : index
  %i = arith.floordivsi %q, %block : index
  %j = arith.floordivsi %kv, %block : index
  %different = arith.xori %i, %j : index
  %bits = math.ctpop %different : index
  %visible = arith.cmpi sle, %bits, %one : index
  return %visible : i1
}

// -----

// Block-sparse prefill: per row of blocks a list of those seen whole and one of those seen causally.
!q = tensor<?x?x32x128xbf16>
!kv = tensor<?x?x8x128xbf16>
!list = tensor<?x32x?x?xi32, #attn.dims<batch, heads, q_blocks, max_blocks>>
!count = tensor<?x32x?xi32, #attn.dims<batch, heads, q_blocks>>
attn.kernel @block_lists(%q: !q, %k: !kv, %v: !kv, %full: !list, %full_count: !count, %part: !list, %part_count: !count)
    -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @blocks(%full, %full_count, %part, %part_count) : !list, !count, !list, !count
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
func.func private @causal(index, index, index, index) -> i1
func.func @blocks(%b: index, %h: index, %q: index, %kv: index, %full: tensor<?x?x?x?xi32>, %full_count: tensor<?x?x?xi32>,
                  %part: tensor<?x?x?x?xi32>, %part_count: tensor<?x?x?xi32>) -> i1 {
  %block = arith.constant 128 : index
  %row = attn.row
  %i = arith.floordivsi %row, %block : index
  %j = arith.floordivsi %kv, %block : index
  %whole = attn.member %j of %full[%b, %h, %i] count %full_count : tensor<?x?x?x?xi32> count tensor<?x?x?xi32>
  %some = attn.member %j of %part[%b, %h, %i] count %part_count : tensor<?x?x?x?xi32> count tensor<?x?x?xi32>
  %past = func.call @causal(%b, %h, %q, %kv) : (index, index, index, index) -> i1
  %edge = arith.andi %some, %past : i1
  %visible = arith.ori %whole, %edge : i1
  return %visible : i1
}

// -----

// Sparse rows of blocks, packed.
!x = tensor<1x?x8x64xf16>
!ends = tensor<?xi32, #attn.dims<row_ends>>
!blocks = tensor<?xi32, #attn.dims<blocks>>
attn.kernel @block_rows(%q: !x, %k: !x, %v: !x, %ends: !ends, %blocks: !blocks) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @packed(%ends, %blocks) : !ends, !blocks
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
func.func @packed(%b: index, %h: index, %q: index, %kv: index, %ends: tensor<?xi32>, %blocks: tensor<?xi32>) -> i1 {
  %block = arith.constant 64 : index
  %row = attn.row
  %i = arith.floordivsi %row, %block : index
  %j = arith.floordivsi %kv, %block : index
  %visible = attn.member %j of %blocks[%i] rows %ends : tensor<?xi32> rows tensor<?xi32>
  return %visible : i1
}

// -----

// Columns, diagonals and a window, united.
!q = tensor<1x?x32x128xbf16>
!kv = tensor<1x?x2x128xbf16>
!list = tensor<1x32x?xi32, #attn.dims<one, heads, max_listed>>
!count = tensor<1x32xi32>
attn.kernel @vertical_slash(%q: !q, %k: !kv, %v: !kv, %columns: !list, %column_count: !count, %slashes: !list,
                            %slash_count: !count, %window_left: index) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @stripes(%columns, %column_count, %slashes, %slash_count, %window_left)
       : !list, !count, !list, !count, index
  %c = attn.mask %m by @causal
  %p = attn.softmax %c
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
func.func private @sliding_window(index, index, index, index, index) -> i1
func.func @stripes(%b: index, %h: index, %q: index, %kv: index, %columns: tensor<?x?x?xi32>, %column_count: tensor<?x?xi32>,
                   %slashes: tensor<?x?x?xi32>, %slash_count: tensor<?x?xi32>, %window_left: index) -> i1 {
  %distance = arith.subi %q, %kv : index
  %column = attn.member %kv of %columns[%b, %h] count %column_count : tensor<?x?x?xi32> count tensor<?x?xi32>
  %slash = attn.member %distance of %slashes[%b, %h] count %slash_count : tensor<?x?x?xi32> count tensor<?x?xi32>
  %near = func.call @sliding_window(%b, %h, %q, %kv, %window_left) : (index, index, index, index, index) -> i1
  %stripe = arith.ori %column, %slash : i1
  %visible = arith.ori %stripe, %near : i1
  return %visible : i1
}

// -----

// Spans that each token named, and the token itself.
!q = tensor<?x1x32x128xbf16>
!kv = tensor<?x?x32x128xbf16>
!spans = tensor<?x1x?x2xi32, #attn.dims<batch, seq_q, max_spans, ends>>
!count = tensor<?x1xi32, #attn.dims<batch, seq_q>>
attn.kernel @named_spans(%q: !q, %k: !kv, %v: !kv, %spans: !spans, %count: !count) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @spans(%spans, %count) : !spans, !count
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
func.func @spans(%b: index, %h: index, %q: index, %kv: index, %spans: tensor<?x?x?x2xi32>, %count: tensor<?x?xi32>) -> i1 {
  %row = attn.row
  %named = attn.member %kv of %spans[%b, %row] count %count : tensor<?x?x?x2xi32> count tensor<?x?xi32>
  %self = arith.cmpi eq, %kv, %q : index
  %visible = arith.ori %named, %self : i1
  return %visible : i1
}

// -----

// Heads of several kinds in one launch: those of kind 0 see all, those of kind 1 a streaming window.
!q = tensor<1x?x32x128xbf16>
!kv = tensor<1x?x8x128xbf16>
!kinds = tensor<32xi32>
attn.kernel @kinds_of_heads(%q: !q, %k: !kv, %v: !kv, %kinds: !kinds) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %h = attn.mask %s by @by_kind(%kinds) : !kinds
  %m = attn.mask %h by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
func.func private @streaming(index, index, index, index, index, index) -> i1
func.func @by_kind(%b: index, %h: index, %q: index, %kv: index, %kinds: tensor<?xi32>) -> i1 {
  %zero = arith.constant 0 : i32
  %sink_tokens = arith.constant 4 : index
  %window_left = arith.constant 1023 : index
  %kind = tensor.extract %kinds[%h] : tensor<?xi32>
  %all = arith.cmpi eq, %kind, %zero : i32
  %near = func.call @streaming(%b, %h, %q, %kv, %sink_tokens, %window_left)
          : (index, index, index, index, index, index) -> i1
  %visible = arith.ori %all, %near : i1
  return %visible : i1
}
