// SPDX-License-Identifier: Apache-2.0
// The spec dialect itself, its types and attributes.
#ifndef ATTN_DIALECT_ATTNBASE
#define ATTN_DIALECT_ATTNBASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/TensorEncoding.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let cppNamespace = "::attn";
  let summary = "Specifications of attention";
  let description = [{
    A spec says what is computed and nothing about how. It reads from the scores to the output, and each step has the
    type of its place (`!attn.scores`, `!attn.probs`), so steps in a wrong order do not parse.

    Whatever is particular about one model is an ordinary function: `attn.modify` applies one to each score, `attn.mask`
    asks one whether a key is visible, `attn.reweight` applies one to each weight. There is no other way to say what is masked; which keys need not be visited at
    all is found out from the function.

    A kernel keeps the names of its arguments and results, because those are the names at launch. Dimensions have
    names too: a query is (`batch`, `seq_q`, `heads`, `head_dim`), keys and values are (`batch`, `seq_kv`, `kv_heads`,
    `head_dim`), and `#attn.dims` names them otherwise. A number in a type is part of the kernel; a `?` is bound at
    launch, and dimensions of one name must agree then. Layout is no part of a spec: tensors have strides at launch.

    Values that do not fall along the last dimension of a tensor, such as the numbers of documents that lie one behind
    the other, are promised where they are read: `tensor.extract %document[%b, %kv] {attn.sorted} : tensor<?x?xi32>`. A
    kernel may then search in them: where they do fall, it may hide keys that a mask shows, but reads nothing outside
    of the tensor.

    All rules of a kernel are checked together, so that one run reports everything that is wrong with it.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
}

//===-- types --------------------------------------------------------------===//

class Attn_Type<string name, string typeMnemonic> : TypeDef<Attn_Dialect, name>,
    BuildableType<"$_builder.getType<::attn::" # name # "Type>()"> {
  let mnemonic = typeMnemonic;
}
def Attn_Seq : Attn_Type<"Seq", "seq"> {
  let summary = "a batch of sequences, each of its own length, and where in memory their entries lie";
}
def Attn_Scores : Attn_Type<"Scores", "scores"> {
  let summary = "a score for each query and key, before softmax";
}
def Attn_Probs : Attn_Type<"Probs", "probs"> {
  let summary = "a weight for each query and key, after softmax";
}

def Attn_TensorOrSeq : AnyTypeOf<[AnyRankedTensor, Attn_Seq]>;
def Attn_Parameter : AnyTypeOf<[F32, Index, I32, I1, AnyRankedTensor],
                               "a parameter of a score or mask function: f32, index, i32, i1 or a tensor">;

//===-- attributes ---------------------------------------------------------===//

class Attn_Enum<string name, string description, list<I32EnumAttrCase> cases> : I32EnumAttr<name, description, cases> {
  let cppNamespace = "::attn";
  let genSpecializedAttr = 0;
}
def Attn_AlignEnum : Attn_Enum<"Align", "where queries stand beside keys",
                               [I32EnumAttrCase<"End", 0, "end">, I32EnumAttrCase<"Start", 1, "start">]>;
def Attn_Align : EnumAttr<Attn_Dialect, Attn_AlignEnum, "align"> {
  let assemblyFormat = "$value";
}
def Attn_PerEnum : Attn_Enum<"Per", "what weights are summed for",
                             [I32EnumAttrCase<"Key", 0, "key">, I32EnumAttrCase<"Distance", 1, "distance">]>;
def Attn_Per : EnumAttr<Attn_Dialect, Attn_PerEnum, "per"> {
  let assemblyFormat = "$value";
}
def Attn_OverlapEnum : Attn_Enum<"Overlap", "which matrix product runs beside the softmax", [
    I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"ScoresAhead", 1, "scores_ahead">,
    I32EnumAttrCase<"OutputBehind", 2, "output_behind">]>;

def Attn_Dims : AttrDef<Attn_Dialect, "Dims", [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let mnemonic = "dims";
  let summary = "Names of the dimensions of a tensor";
  let description = [{
    One name for each dimension, all of them different. Needed where the use of a tensor does not name them: on a
    tensor with a `?` that functions alone read.

    ```mlir
    func.func private @reads(tensor<?x?xi32, #attn.dims<batch, seq_q>>)
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$names);
  let hasCustomAssemblyFormat = 1;
}

def Attn_Schedule : AttrDef<Attn_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "How a kernel is to be computed, as far as it is not left to the compiler";
  let description = [{
    A name of a schedule, then any of `block_q`, `block_kv`, `num_stages`, `num_warps`, `num_splits` and `packed` with a
    positive number, and `overlap` with `none`, `scores_ahead` or `output_behind`. What is left out is chosen; an overlap
    only where products are asynchronous. A schedule changes results by rounding at most.

    `packed = G`, with G query heads to each key head, fills the block_q rows of a tile with all heads of a group for
    each token; `packed = 1` with the tokens of one head.

    ```mlir
    !x = tensor<?x?x12x64xf16>
    attn.kernel @encoder(%q: !x, %k: !x, %v: !x) -> (o: !x)
        schedule<prefill, block_q = 128, block_kv = 64, overlap = none> {
      %s = attn.scores %q, %k : !x, !x
      %p = attn.softmax %s
      %o = attn.output %p, %v : !x -> !x
      attn.return %o : !x
    }
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"::mlir::StringAttr", "::mlir::StringAttr::get($_ctxt)", "empty: chosen">:$name,
    DefaultValuedParameter<"int64_t", "0", "query rows of a tile; 0: chosen">:$block_q,
    DefaultValuedParameter<"int64_t", "0", "keys of a tile; 0: chosen">:$block_kv,
    DefaultValuedParameter<"int64_t", "0", "buffers of a ring; 0: chosen">:$num_stages,
    DefaultValuedParameter<"int64_t", "0", "warps of a program; 0: chosen">:$num_warps,
    DefaultValuedParameter<"int64_t", "0", "most splits of one sequence; 0: chosen">:$num_splits,
    DefaultValuedParameter<"int64_t", "0", "heads of a group in the rows of a tile; 0: chosen">:$packed,
    DefaultValuedParameter<"::std::optional<::attn::Overlap>", "::std::nullopt", "none given: chosen">:$overlap);
  let hasCustomAssemblyFormat = 1;
}

#endif // ATTN_DIALECT_ATTNBASE
