// SPDX-License-Identifier: Apache-2.0
// The operations of the spec dialect: what attention computes, in the order in which a paper writes it.
#ifndef ATTN_DIALECT_ATTN
#define ATTN_DIALECT_ATTN

include "dialect/AttnBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

/// An operation of a kernel without results to name.
class Attn_Op<string mnemonic, list<Trait> traits = []> : Op<Attn_Dialect, mnemonic, traits>;

/// An operation whose one result is printed as %`resultName`.
class Attn_ValueOp<string mnemonic, string resultName, list<Trait> traits = []>
    : Attn_Op<mnemonic, !listconcat(traits, [Pure, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>])> {
  let extraClassDefinition = "void $cppClass::getAsmResultNames(::mlir::OpAsmSetValueNameFn setName) { "
                             "setName(getOperation()->getResult(0), \"" # resultName # "\"); }";
}

/// An operation that stands directly in a kernel.
class Attn_KernelStep<string mnemonic, string resultName, list<Trait> traits = []>
    : Attn_ValueOp<mnemonic, resultName, !listconcat(traits, [HasParent<"KernelOp">])>;

//===-- the kernel ---------------------------------------------------------===//

def Attn_KernelOp : Attn_Op<"kernel", [FunctionOpInterface, IsolatedFromAbove,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "One launch: what it reads, what it computes, what it returns";
  let description = [{
    1. The names of arguments and results are those by which tensors are given at launch.
    2. A result with the name of an argument is that argument, written in place; both have one type.
    3. A kernel holds one chain from scores to output, or one merge, or appends to caches.
    4. Arithmetic on scalars may stand in a kernel; arithmetic on elements stands in functions.
    5. The same inputs give the same bits, and a sequence's result does not depend on the rest of its batch.

    ```mlir
    !q  = tensor<?x?x32x128xbf16>
    !kv = tensor<?x?x8x128xbf16>
    attn.kernel @prefill(%q: !q, %k: !kv, %v: !kv) -> (o: !q) {
      %s = attn.scores %q, %k : !q, !kv
      %m = attn.mask %s by @causal
      %p = attn.softmax %m
      %o = attn.output %p, %v : !kv -> !q
      attn.return %o : !q
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<Attn_Schedule>:$schedule, OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }

    /// The name of an argument or result at launch; "?" if built without one.
    ::llvm::StringRef argName(unsigned index);
    ::llvm::StringRef resultName(unsigned index);
  }];
}

def Attn_ReturnOp : Attn_Op<"return", [Pure, Terminator, ReturnLike, HasParent<"KernelOp">]> {
  let summary = "End a kernel and give its results";
  let description = [{
    One value for each result of the kernel, in order, each of the result's type.

    ```mlir
    !x = tensor<?x?x12x64xf16>
    !lse = tensor<?x?x12xf32>
    attn.kernel @encoder(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !lse) {
      %s = attn.scores %q, %k : !x, !x
      %p, %lse = attn.softmax %s -> !lse
      %o = attn.output %p, %v : !x -> !x
      attn.return %o, %lse : !x, !lse
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

//===-- sequences: where queries, keys and values lie ----------------------===//

def Attn_DenseOp : Attn_KernelStep<"dense", "seq", [AttrSizedOperandSegments]> {
  let summary = "Sequences as the rows of a padded tensor";
  let description = [{
    1. Tensors are (batch, seq, heads, head_dim). One tensor is a query, or keys that serve as values too; two are
       keys and values, which may differ in head_dim.
    2. Sequence b has the first `lens[b]` entries of row b, or the whole row without `lens`. A length is clamped to
       what the row can hold.
    3. What lies behind a length is never read into a result.

    ```mlir
    !q  = tensor<?x1x32x128xbf16>
    !kv = tensor<?x?x8x128xbf16>
    !n  = tensor<?xi32>
    attn.kernel @decode(%q: !q, %k: !kv, %v: !kv, %kv_lens: !n) -> (o: !q) {
      %kv = attn.dense %k, %v[%kv_lens] : !kv, !kv [!n]
      %s = attn.scores %q, %kv : !q, !attn.seq
      %p = attn.softmax %s
      %o = attn.output %p, %kv : !attn.seq -> !q
      attn.return %o : !q
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$tensors, Optional<AnyRankedTensor>:$lens);
  let results = (outs Attn_Seq:$seq);
  let assemblyFormat = "$tensors (`[` $lens^ `]`)? attr-dict `:` type($tensors) (` ` `[` type($lens)^ `]`)?";
}

def Attn_RaggedOp : Attn_KernelStep<"ragged", "seq"> {
  let summary = "Sequences packed one behind the other";
  let description = [{
    1. Tensors are (total, heads, head_dim), one or two of them as for `attn.dense`.
    2. Sequence b is entries `indptr[b]` up to `indptr[b + 1]`, the latter excluded; indptr has batch + 1 elements.

    ```mlir
    !q      = tensor<?x32x128xbf16>
    !kv     = tensor<?x8x128xbf16>
    !indptr = tensor<?xi32>
    attn.kernel @ragged_prefill(%q: !q, %k: !kv, %v: !kv, %qo_indptr: !indptr, %kv_indptr: !indptr) -> (o: !q) {
      %queries = attn.ragged %q[%qo_indptr] : !q [!indptr]
      %kv = attn.ragged %k, %v[%kv_indptr] : !kv, !kv [!indptr]
      %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
      %m = attn.mask %s by @causal
      %p = attn.softmax %m
      %o = attn.output %p, %kv : !attn.seq -> !q
      attn.return %o : !q
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$tensors, AnyRankedTensor:$indptr);
  let results = (outs Attn_Seq:$seq);
  let assemblyFormat = "$tensors `[` $indptr `]` attr-dict `:` type($tensors) ` ` `[` type($indptr) `]`";
}

def Attn_PagesOp : Attn_KernelStep<"pages", "seq"> {
  let summary = "Sequences in pages that a table names";
  let description = [{
    1. Pools are (pages, page_size, kv_heads, head_dim), one or two of them as for `attn.dense`.
    2. Entry j of sequence b lies in slot j mod page_size of page `table[b, j div page_size]`.
    3. A table with a third dimension of 2 holds runs instead: a first page and a number of pages that follow it. Runs
       are read in order until the length is reached.
    4. Lengths are clamped to what the table can hold; entries of the table behind a length are never read.

    ```mlir
    !q     = tensor<?x1x32x128xbf16>
    !pool  = tensor<?x16x8x128xbf16>
    !table = tensor<?x?xi32>
    !lens  = tensor<?xi32>
    attn.kernel @paged_decode(%q: !q, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens)
        -> (o: !q) {
      %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
      %s = attn.scores %q, %kv : !q, !attn.seq
      %p = attn.softmax %s
      %o = attn.output %p, %kv : !attn.seq -> !q
      attn.return %o : !q
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$pools, AnyRankedTensor:$table, AnyRankedTensor:$lens);
  let results = (outs Attn_Seq:$seq);
  let assemblyFormat = [{
    $pools `[` $table `,` $lens `]` attr-dict `:` type($pools) ` ` `[` type($table) `,` type($lens) `]`
  }];
}

def Attn_ShareOp : Attn_KernelStep<"share", "seq"> {
  let summary = "Let several sequences read the same entries";
  let description = [{
    1. Without rows, sequence b of our batch is sequence b div (batch / rows of the operand); the operand's batch
       divides ours.
    2. With rows of shape (batch), sequence b is sequence `rows[b]` of the operand.
    3. With rows of shape (batch, seq), entry j of sequence b is entry j of sequence `rows[b, j]` of the operand, and
       the length is that of sequence b.

    ```mlir
    !q      = tensor<?x1x32x128xbf16>
    !prompt = tensor<1x?x8x128xbf16>
    attn.kernel @common_prompt(%q: !q, %k: !prompt, %v: !prompt) -> (o: !q) {
      %prompt = attn.dense %k, %v : !prompt, !prompt
      %kv = attn.share %prompt
      %s = attn.scores %q, %kv : !q, !attn.seq
      %p = attn.softmax %s
      %o = attn.output %p, %kv : !attn.seq -> !q
      attn.return %o : !q
    }
    ```
  }];
  let arguments = (ins Attn_Seq:$of, Optional<AnyRankedTensor>:$rows);
  let results = (outs Attn_Seq:$seq);
  let assemblyFormat = "$of (`[` $rows^ `]`)? attr-dict (`:` `[` type($rows)^ `]`)?";
}

def Attn_ConcatOp : Attn_KernelStep<"concat", "seq"> {
  let summary = "Sequences that lie in several places";
  let description = [{
    1. The entries of the parts follow each other, sequence by sequence, and one softmax runs over all of them.
    2. Parts may differ in element type, in place and in length; a length may be zero.

    ```mlir
    !q     = tensor<?x1x32x128xbf16>
    !pool  = tensor<?x16x8x128xbf16>
    !new   = tensor<?x1x8x128xbf16>
    !table = tensor<?x?xi32>
    !lens  = tensor<?xi32>
    attn.kernel @with_new(%q: !q, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %page_lens: !lens,
                          %k_new: !new, %v_new: !new) -> (o: !q) {
      %cache = attn.pages %k_pool, %v_pool[%page_table, %page_lens] : !pool, !pool [!table, !lens]
      %new = attn.dense %k_new, %v_new : !new, !new
      %kv = attn.concat %cache, %new
      %s = attn.scores %q, %kv : !q, !attn.seq
      %p = attn.softmax %s
      %o = attn.output %p, %kv : !attn.seq -> !q
      attn.return %o : !q
    }
    ```
  }];
  let arguments = (ins Variadic<Attn_Seq>:$parts);
  let results = (outs Attn_Seq:$seq);
  let assemblyFormat = "$parts attr-dict";
}

def Attn_AtOp : Attn_KernelStep<"at", "seq", [AttrSizedOperandSegments]> {
  let summary = "Say at which positions the entries of a sequence stand";
  let description = [{
    1. With positions, each entry has its own: (batch, seq), or (total) for a ragged sequence. They increase along a
       sequence.
    2. With `from`, the first entry of sequence b stands at `first[b]`, and the others follow it without gaps.
    3. Positions are what functions are asked about as `q` and `kv`. They say nothing about where an entry lies.

    ```mlir
    !q   = tensor<?x1x32x128xbf16>
    !kv  = tensor<?x?x8x128xbf16>
    !n   = tensor<?xi32>
    !pos = tensor<?x?xi32>
    attn.kernel @evicted(%q: !q, %k: !kv, %v: !kv, %kv_lens: !n, %kv_positions: !pos, %now: !n) -> (o: !q) {
      %window_left = arith.constant 4095 : index
      %kept = attn.dense %k, %v[%kv_lens] : !kv, !kv [!n]
      %kv = attn.at %kept[%kv_positions] : !attn.seq [!pos]
      %queries = attn.at %q from %now : !q from !n
      %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
      %m = attn.mask %s by @sliding_window(%window_left) : index
      %p = attn.softmax %m
      %o = attn.output %p, %kv : !attn.seq -> !q
      attn.return %o : !q
    }
    ```
  }];
  let arguments = (ins Attn_TensorOrSeq:$of, Optional<AnyRankedTensor>:$positions, Optional<AnyRankedTensor>:$first);
  let results = (outs Attn_Seq:$seq);
  let assemblyFormat = [{
    $of (`[` $positions^ `]`)? (`from` $first^)? attr-dict
    `:` type($of) (` ` `[` type($positions)^ `]`)? (`from` type($first)^)?
  }];
}

//===-- the chain ----------------------------------------------------------===//

def Attn_ScoresOp : Attn_KernelStep<"scores", "scores"> {
  let summary = "The scaled product of each query with each key";
  let description = [{
    1. score(b, h, i, j) = scale * <query i, key j>, accumulated in f32. `scale` is 1 / sqrt(head_dim) unless given.
    2. Query head h reads key head h div (heads / kv_heads).
    3. A plain tensor of rank 4 is the dense sequence of full length.
    4. Positions: keys stand at 0, 1, 2, ... in their order; queries so that the last query stands at the last key of
       its sequence, or, with `align start`, at 0, 1, 2, ... as well. `attn.at` says otherwise. With more queries than
       keys the first positions of queries are negative.

    ```mlir
    !q  = tensor<?x?x32x128xbf16>
    !kv = tensor<?x?x8x128xbf16>
    attn.kernel @scaled(%q: !q, %k: !kv, %v: !kv, %scale: f32) -> (o: !q) {
      %s = attn.scores %q, %k scale %scale align start : !q, !kv
      %m = attn.mask %s by @causal
      %p = attn.softmax %m
      %o = attn.output %p, %v : !kv -> !q
      attn.return %o : !q
    }
    ```
  }];
  let arguments = (ins Attn_TensorOrSeq:$query, Attn_TensorOrSeq:$keys, Optional<F32>:$scale,
                       DefaultValuedAttr<Attn_Align, "::attn::Align::End">:$align);
  let results = (outs Attn_Scores:$scores);
  let assemblyFormat = [{
    $query `,` $keys (`scale` $scale^)? (`align` $align^)? attr-dict `:` type($query) `,` type($keys)
  }];
}

class Attn_ByOp<string mnemonic, string resultName, TypeConstraint type> : Attn_KernelStep<mnemonic, resultName> {
  let arguments = (ins type:$input, FlatSymbolRefAttr:$by, Variadic<Attn_Parameter>:$params);
  let results = (outs type:$result);
  let assemblyFormat = "$input `by` $by (`(` $params^ `)`)? attr-dict (`:` type($params)^)?";
}

def Attn_ModifyOp : Attn_ByOp<"modify", "modified", Attn_Scores> {
  let summary = "Replace each score by what a function makes of it";
  let description = [{
    1. The function is `(score: f32, b, h, q, kv, parameters...) -> f32`; the four coordinates are of type index, `q`
       and `kv` are positions. It sees the scaled score as a real number of at least f32.
    2. A parameter of the function of type `tensor<?xf32>` takes a tensor of any size.
    3. `@f` is the function of that name in the file, else of the library.
    4. Modifications apply in their order. A hidden key stays hidden whatever its score becomes, so the order of
       `attn.modify` and `attn.mask` does not matter.

    ```mlir
    !x      = tensor<?x?x32x128xbf16>
    !slopes = tensor<32xf32>
    attn.kernel @mpt(%q: !x, %k: !x, %v: !x, %slopes: !slopes) -> (o: !x) {
      %s = attn.scores %q, %k : !x, !x
      %a = attn.modify %s by @alibi(%slopes) : !slopes
      %m = attn.mask %a by @causal
      %p = attn.softmax %m
      %o = attn.output %p, %v : !x -> !x
      attn.return %o : !x
    }
    ```
  }];
}

def Attn_MaskOp : Attn_ByOp<"mask", "masked", Attn_Scores> {
  let summary = "Hide the keys for which a function returns false";
  let description = [{
    1. The function is `(b, h, q, kv, parameters...) -> i1`, otherwise as for `attn.modify`.
    2. Several masks hide what any of them hides.
    3. A hidden key contributes nothing, whatever its score; its value must be finite.
    4. A function is asked about pairs that exist, and about those which another mask hides as well. To load outside a
       tensor for any of them is an error.

    ```mlir
    !x = tensor<?x?x16x128xbf16>
    attn.kernel @even_keys(%q: !x, %k: !x, %v: !x) -> (o: !x) {
      %two = arith.constant 2 : index
      %s = attn.scores %q, %k : !x, !x
      %m = attn.mask %s by @every(%two) : index
      %p = attn.softmax %m
      %o = attn.output %p, %v : !x -> !x
      attn.return %o : !x
    }
    func.func @every(%b: index, %h: index, %q: index, %kv: index, %step: index) -> i1 {
      %zero = arith.constant 0 : index
      %rest = arith.remsi %kv, %step : index
      %visible = arith.cmpi eq, %rest, %zero : index
      return %visible : i1
    }
    ```
  }];
}

def Attn_SoftmaxOp : Attn_KernelStep<"softmax", "probs"> {
  let summary = "Weights from scores: exponentials that sum to one over the visible keys";
  let description = [{
    1. lse(b, i, h) = ln(sum over visible j of exp score + exp sink(h)), and weight = exp(score - lse).
    2. `sink` is one logit per head that takes weight and has no value.
    3. `lse` is f32, has the shape of the query without head_dim, and is the natural logarithm.
    4. A row that sees no key has output 0 and lse -inf, or the sink's logit if there is one. It is never NaN.

    ```mlir
    !x    = tensor<?x?x64x64xbf16>
    !sink = tensor<64xf32>
    !lse  = tensor<?x?x64xf32>
    attn.kernel @with_sink(%q: !x, %k: !x, %v: !x, %sink: !sink) -> (o: !x, lse: !lse) {
      %s = attn.scores %q, %k : !x, !x
      %p, %lse = attn.softmax %s sink %sink : !sink -> !lse
      %o = attn.output %p, %v : !x -> !x
      attn.return %o, %lse : !x, !lse
    }
    ```
  }];
  let arguments = (ins Attn_Scores:$scores, Optional<AnyRankedTensor>:$sink);
  let results = (outs Attn_Probs:$probs, Optional<AnyRankedTensor>:$lse);
  let assemblyFormat = "$scores (`sink` $sink^)? attr-dict (`:` type($sink)^)? (`->` type($lse)^)?";
  let extraClassDefinition = [{
    void $cppClass::getAsmResultNames(::mlir::OpAsmSetValueNameFn setName) {
      setName(getProbs(), "probs");
      if (getLse())
        setName(getLse(), "lse");
    }
  }];
}

def Attn_ReweightOp : Attn_ByOp<"reweight", "reweighted", Attn_Probs> {
  let summary = "Replace each weight by what a function makes of it";
  let description = [{
    1. The function is `(weight: f32, b, h, q, kv, parameters...) -> f32`, otherwise as for `attn.modify`.
    2. It sees what softmax gives, and the results are not normalised again. An lse is that of the softmax.
    3. A hidden key has no weight, whatever the function makes of 0.
    4. Several of them apply in their order.

    ```mlir
    !x     = tensor<?x?x32x128xbf16, #attn.dims<batch, seq, heads, head_dim>>
    !boost = tensor<?x?xf32, #attn.dims<batch, seq>>
    attn.kernel @reweighted(%q: !x, %k: !x, %v: !x, %boost: !boost) -> (o: !x) {
      %s = attn.scores %q, %k : !x, !x
      %m = attn.mask %s by @causal
      %p = attn.softmax %m
      %r = attn.reweight %p by @boosted(%boost) : !boost
      %o = attn.output %r, %v : !x -> !x
      attn.return %o : !x
    }
    func.func @boosted(%weight: f32, %b: index, %h: index, %q: index, %kv: index, %boost: tensor<?x?xf32>) -> f32 {
      %factor = tensor.extract %boost[%b, %kv] : tensor<?x?xf32>
      %y = arith.mulf %weight, %factor : f32
      return %y : f32
    }
    ```
  }];
}

def Attn_OutputOp : Attn_KernelStep<"output", "output"> {
  let summary = "The sum of values, each with its weight";
  let description = [{
    1. output(b, i, h) = sum over j of weight * value j, accumulated in f32 and rounded once. Before the product a
       weight is rounded to the type of the values.
    2. Values are the sequence whose keys the scores were computed on, or, beside keys that are a plain tensor, a plain
       tensor that differs from them in head_dim only.
    3. Keys that are their own values may have an output narrower than head_dim: the first columns.

    ```mlir
    !q = tensor<?x?x128x192xbf16>
    !v = tensor<?x?x128x128xbf16>
    attn.kernel @mla_prefill(%q: !q, %k: !q, %v: !v) -> (o: !v) {
      %s = attn.scores %q, %k : !q, !q
      %m = attn.mask %s by @causal
      %p = attn.softmax %m
      %o = attn.output %p, %v : !v -> !v
      attn.return %o : !v
    }
    ```
  }];
  let arguments = (ins Attn_Probs:$probs, Attn_TensorOrSeq:$values);
  let results = (outs AnyRankedTensor:$output);
  let assemblyFormat = "$probs `,` $values attr-dict `:` type($values) `->` type($output)";
}

def Attn_SumsOp : Attn_KernelStep<"sums", "sums"> {
  let summary = "How much weight each key got, or each distance";
  let description = [{
    1. `per key`: sums(b, h, j) = sum over queries i of weight(b, h, i, j). `per distance`: sums(b, h, d) = sum of the
       weights with q - kv = d, by position; what lies at other distances than those of the result is left out.
    2. With a function `(b, h, q, kv, parameters...) -> i1`, otherwise as for `attn.mask`, only weights for which it
       holds are summed.
    3. The result is f32 of shape (batch, heads, keys or distances); behind the last key of a sequence it is 0. Weights
       are added in a fixed order.

    ```mlir
    !x    = tensor<?x?x32x128xbf16, #attn.dims<batch, seq, heads, head_dim>>
    !sums = tensor<?x32x?xf32, #attn.dims<batch, heads, seq>>
    attn.kernel @column_sums(%q: !x, %k: !x, %first: index) -> (sums: !sums) {
      %s = attn.scores %q, %k : !x, !x
      %m = attn.mask %s by @causal
      %p = attn.softmax %m
      %sums = attn.sums %p per key by @rows_from (%first : index) -> !sums
      attn.return %sums : !sums
    }
    func.func @rows_from(%b: index, %h: index, %q: index, %kv: index, %first: index) -> i1 {
      %row = attn.row
      %counts = arith.cmpi sge, %row, %first : index
      return %counts : i1
    }
    ```
  }];
  let arguments = (ins Attn_Probs:$probs, Attn_Per:$per, OptionalAttr<FlatSymbolRefAttr>:$by,
                       Variadic<Attn_Parameter>:$params);
  let results = (outs AnyRankedTensor:$sums);
  let assemblyFormat = [{
    $probs `per` $per (`by` $by^)? (` ` `(` $params^ `:` type($params) `)`)? attr-dict `->` type($sums)
  }];
}

//===-- around attention ---------------------------------------------------===//

def Attn_MergeOp : Attn_KernelStep<"merge", "output", [AttrSizedOperandSegments]> {
  let summary = "Join partial results over disjoint keys";
  let description = [{
    1. lse = ln(sum over parts of exp lse_p), output = sum over parts of exp(lse_p - lse) * output_p.
    2. A part is a tensor of the result's shape with an lse of that shape without head_dim, or a stack of parts with
       one more dimension in front.
    3. Up to rounding it does not matter in which order parts are joined; (0, -inf) changes nothing.
    4. The sink counts once, here, and must not be counted in the parts.

    ```mlir
    !part = tensor<?x1x32x128xf32>
    !stat = tensor<?x1x32xf32>
    !o    = tensor<?x1x32x128xbf16>
    attn.kernel @merge_two(%o1: !part, %o2: !part, %lse1: !stat, %lse2: !stat) -> (o: !o, lse: !stat) {
      %o, %lse = attn.merge %o1, %o2 lse %lse1, %lse2 : (!part, !part, !stat, !stat) -> (!o, !stat)
      attn.return %o, %lse : !o, !stat
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$outputs, Variadic<AnyRankedTensor>:$lses,
                       Optional<AnyRankedTensor>:$sink);
  let results = (outs AnyRankedTensor:$output, Optional<AnyRankedTensor>:$lse);
  let assemblyFormat = "$outputs `lse` $lses (`sink` $sink^)? attr-dict `:` functional-type(operands, results)";
  let extraClassDefinition = [{
    void $cppClass::getAsmResultNames(::mlir::OpAsmSetValueNameFn setName) {
      setName(getOutput(), "output");
      if (getLse())
        setName(getLse(), "lse");
    }
  }];
}

def Attn_AppendOp : Attn_Op<"append", [HasParent<"KernelOp">]> {
  let summary = "Write new entries behind those of a cache";
  let description = [{
    1. The i-th of n new entries of a sequence becomes entry len - n + i of the cache: its lengths count them already.
    2. The cache is `attn.dense` or `attn.pages` of arguments of the kernel, and is written in place.
    3. Lines that follow see what was written.

    ```mlir
    !new   = tensor<?x1x8x128xbf16>
    !pool  = tensor<?x16x8x128xbf16>
    !table = tensor<?x?xi32>
    !lens  = tensor<?xi32>
    attn.kernel @append(%k_new: !new, %v_new: !new, %k_pool: !pool, %v_pool: !pool, %page_table: !table,
                        %kv_lens: !lens) {
      %new = attn.dense %k_new, %v_new : !new, !new
      %cache = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
      attn.append %new to %cache : !attn.seq
      attn.return
    }
    ```
  }];
  let arguments = (ins Attn_TensorOrSeq:$source, Attn_Seq:$cache);
  let assemblyFormat = "$source `to` $cache attr-dict `:` type($source)";
}

def Attn_SelectOp : Attn_KernelStep<"select", "list", [AttrSizedOperandSegments]> {
  let summary = "List the entries of the largest sums";
  let description = [{
    1. `top k`: the k largest sums of a row. `cover a`: the fewest, largest first, that together reach the share a of
       all of them. Of equal sums the smaller index comes first.
    2. With `below`, only the first `below[b]` entries are looked at, and counted as all.
    3. The list is (batch, heads, room) and increases, as `attn.member` wants it; count (batch, heads) says how much of
       a row is used. Where a row has no room for all, it holds the largest. What is unused is -1.

    ```mlir
    !sums  = tensor<?x32x?xf32, #attn.dims<batch, heads, seq_kv>>
    !list  = tensor<?x32x?xi32, #attn.dims<batch, heads, most_listed>>
    !count = tensor<?x32xi32, #attn.dims<batch, heads>>
    !lens  = tensor<?xi32, #attn.dims<batch>>
    attn.kernel @heavy_keys(%sums: !sums, %k: index, %below: !lens) -> (heavy: !list, count: !count) {
      %heavy, %count = attn.select %sums top %k below %below : (!sums, index, !lens) -> (!list, !count)
      attn.return %heavy, %count : !list, !count
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$sums, Optional<Index>:$top, Optional<F32>:$cover,
                       Optional<AnyRankedTensor>:$below);
  let results = (outs AnyRankedTensor:$list, AnyRankedTensor:$count);
  let assemblyFormat = [{
    $sums (`top` $top^)? (`cover` $cover^)? (`below` $below^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDefinition = [{
    void $cppClass::getAsmResultNames(::mlir::OpAsmSetValueNameFn setName) {
      setName(getList(), "list");
      setName(getCount(), "count");
    }
  }];
}

include "dialect/AttnFunctions.td"

#endif // ATTN_DIALECT_ATTN
