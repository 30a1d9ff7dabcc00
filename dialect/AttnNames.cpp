// SPDX-License-Identifier: Apache-2.0
// Finds the chain of a kernel, the tensors behind a sequence, and the names of dimensions by the roles of tensors.
#include "dialect/AttnNames.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn {

//===-- the chain ----------------------------------------------------------===//

ScoresOp scoresOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto scores = dyn_cast<ScoresOp>(op))
      return scores;
    if (!isa<ModifyOp, MaskOp, SoftmaxOp, ReweightOp>(op))
      return nullptr;
    value = op->getOperand(0);
  }
  return nullptr;
}

template <typename Op> static Op onlyOf(KernelOp kernel) {
  auto ops = kernel.getBody().getOps<Op>();
  return ops.empty() ? Op() : *ops.begin();
}
ScoresOp scoresOf(KernelOp kernel) { return onlyOf<ScoresOp>(kernel); }
SoftmaxOp softmaxOf(KernelOp kernel) { return onlyOf<SoftmaxOp>(kernel); }
OutputOp outputOf(KernelOp kernel) { return onlyOf<OutputOp>(kernel); }

std::optional<AttentionChain> attentionOf(KernelOp kernel) {
  AttentionChain chain;
  chain.output = outputOf(kernel);
  if (!chain.output)
    return std::nullopt;
  Value value = chain.output.getProbs();
  while (auto reweight = value.getDefiningOp<ReweightOp>()) {
    chain.reweights.push_back(reweight);
    value = reweight.getInput();
  }
  chain.softmax = value.getDefiningOp<SoftmaxOp>();
  value = chain.softmax.getScores();
  for (; !value.getDefiningOp<ScoresOp>(); value = value.getDefiningOp()->getOperand(0)) {
    if (auto modify = value.getDefiningOp<ModifyOp>())
      chain.modifications.push_back(modify);
    else
      chain.masks.push_back(value.getDefiningOp<MaskOp>());
  }
  chain.scores = value.getDefiningOp<ScoresOp>();
  std::reverse(chain.modifications.begin(), chain.modifications.end());
  std::reverse(chain.masks.begin(), chain.masks.end());
  std::reverse(chain.reweights.begin(), chain.reweights.end());
  return chain;
}

//===-- sequences ----------------------------------------------------------===//

static bool sameSize(int64_t a, int64_t b) { return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b); }

/// Reads one or two tensors that must have `rank` dimensions and differ in the last at most.
static SequenceFacts factsOfTensors(OperandRange tensors, int64_t rank) {
  SequenceFacts facts;
  facts.numTensors = tensors.size();
  facts.wellFormed = tensors.size() == 1 || tensors.size() == 2;
  if (tensors.empty())
    return facts;
  facts.first = cast<RankedTensorType>(tensors[0].getType());
  if (tensors.size() == 2)
    facts.second = cast<RankedTensorType>(tensors[1].getType());
  for (Value tensor : tensors)
    facts.wellFormed &= cast<RankedTensorType>(tensor.getType()).getRank() == rank;
  for (int64_t i = 0; facts.wellFormed && facts.second && i + 1 < rank; ++i)
    facts.wellFormed &= sameSize(facts.first.getDimSize(i), facts.second.getDimSize(i));
  return facts;
}

static int64_t sizeOf(Value tensor, int64_t dimension) {
  auto type = cast<RankedTensorType>(tensor.getType());
  return dimension < type.getRank() ? type.getDimSize(dimension) : ShapedType::kDynamic;
}

static SequenceFacts factsOfShare(ShareOp op) {
  SequenceFacts facts = factsOf(op.getOf());
  facts.shared = true;
  facts.batch = op.getRows() ? sizeOf(op.getRows(), 0) : ShapedType::kDynamic;
  return facts;
}

static SequenceFacts factsOfConcat(ConcatOp op) {
  SequenceFacts facts;
  if (op.getParts().empty())
    facts.wellFormed = false;
  else
    facts = factsOf(op.getParts()[0]);
  for (Value part : op.getParts().drop_front(op.getParts().empty() ? 0 : 1)) {
    SequenceFacts other = factsOf(part);
    facts.wellFormed &= other.wellFormed;
    facts.positions |= other.positions;
    if (ShapedType::isDynamic(facts.batch))
      facts.batch = other.batch;
  }
  facts.ragged = facts.paged = facts.shared = false;
  facts.concat = true;
  return facts;
}

static SequenceFacts factsOfMaker(Operation *maker) {
  return TypeSwitch<Operation *, SequenceFacts>(maker)
      .Case<DenseOp>([](DenseOp op) {
        SequenceFacts facts = factsOfTensors(op.getTensors(), 4);
        if (facts.wellFormed)
          facts.batch = facts.first.getDimSize(0);
        return facts;
      })
      .Case<RaggedOp>([](RaggedOp op) {
        SequenceFacts facts = factsOfTensors(op.getTensors(), 3);
        facts.ragged = true;
        if (int64_t ends = sizeOf(op.getIndptr(), 0); !ShapedType::isDynamic(ends))
          facts.batch = ends - 1;
        return facts;
      })
      .Case<PagesOp>([](PagesOp op) {
        SequenceFacts facts = factsOfTensors(op.getPools(), 4);
        facts.paged = true;
        facts.batch = sizeOf(op.getTable(), 0);
        return facts;
      })
      .Case<AtOp>([](AtOp op) {
        SequenceFacts facts = factsOf(op.getOf());
        facts.positions = true;
        return facts;
      })
      .Case<ShareOp>([](ShareOp op) { return factsOfShare(op); })
      .Case<ConcatOp>([](ConcatOp op) { return factsOfConcat(op); })
      .Default([](Operation *) {
        SequenceFacts facts;
        facts.wellFormed = false;
        return facts;
      });
}

SequenceFacts factsOf(Value value) {
  SequenceFacts facts;
  if (auto tensor = dyn_cast<RankedTensorType>(value.getType())) {
    facts.numTensors = 1;
    facts.first = tensor;
    facts.wellFormed = tensor.getRank() == 4;
    if (facts.wellFormed)
      facts.batch = tensor.getDimSize(0);
    return facts;
  }
  Operation *maker = value.getDefiningOp();
  facts.wellFormed = false;
  if (maker)
    facts = factsOfMaker(maker);
  facts.maker = maker;
  return facts;
}

//===-- names --------------------------------------------------------------===//

namespace {
using Names = SmallVector<std::string, 4>;

/// Names of dimensions of the tensors in a kernel: each as its type says, else by the first role it is met in.
class DimensionNames {
public:
  explicit DimensionNames(KernelOp kernel) {
    for (Operation &op : kernel.getBody().front())
      if (auto scores = dyn_cast<ScoresOp>(op)) // first, because others are named after the query
        nameQuery(scores.getQuery());
    for (Operation &op : kernel.getBody().front())
      TypeSwitch<Operation *>(&op).Case<ScoresOp, SoftmaxOp, OutputOp, SumsOp, MergeOp, AppendOp, SelectOp>(
          [&](auto op) { name(op); });
  }

  /// One name per dimension; empty ones if there is no role.
  Names of(Value tensor) const {
    auto type = cast<RankedTensorType>(tensor.getType());
    Names result(type.getRank());
    if (auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding())) {
      for (auto [to, from] : llvm::zip(result, dims.getNames()))
        to = from.getValue().str();
    } else if (auto found = roles.find(tensor); found != roles.end()) {
      // A tensor of another rank than its role has is an error that the verifier reports.
      for (auto [to, from] : llvm::zip(result, found->second))
        to = from;
    }
    return result;
  }

private:
  void give(Value tensor, Names names) {
    if (isa<RankedTensorType>(tensor.getType()))
      roles.try_emplace(tensor, std::move(names));
  }

  std::string nameOr(Value tensor, unsigned dimension, StringRef otherwise) {
    Names names = of(tensor);
    return dimension < names.size() && !names[dimension].empty() ? names[dimension] : otherwise.str();
  }

  /// The names of a query, or of what is shaped like one.
  void nameQuery(Value query) {
    if (auto at = query.getDefiningOp<AtOp>()) {
      nameQuery(at.getOf());
      namePositions(at, batch);
    } else if (auto ragged = query.getDefiningOp<RaggedOp>()) {
      for (Value tensor : ragged.getTensors())
        give(tensor, {"total_q", "heads", "head_dim"});
      give(ragged.getIndptr(), {"batch_ends"});
    } else if (auto dense = query.getDefiningOp<DenseOp>()) {
      for (Value tensor : dense.getTensors())
        nameQuery(tensor);
      if (dense.getLens() && !dense.getTensors().empty())
        give(dense.getLens(), {batch = nameOr(dense.getTensors()[0], 0, "batch")});
    } else if (isa<RankedTensorType>(query.getType())) {
      give(query, {"batch", "seq_q", "heads", "head_dim"});
      batch = nameOr(query, 0, "batch");
    }
  }

  /// Positions are named after the tensor whose entries they belong to. Entries that lie in pages or in several places
  /// have no length that a tensor knows: the positions say how many there may be.
  void namePositions(AtOp at, StringRef batchName) {
    if (at.getFirst())
      give(at.getFirst(), {batchName.str()});
    if (!at.getPositions())
      return;
    Value tensor = at.getOf();
    while (Operation *maker = tensor.getDefiningOp()) {
      if (!isa<DenseOp, RaggedOp, AtOp, ShareOp>(maker) || maker->getNumOperands() == 0)
        break;
      tensor = maker->getOperand(0);
    }
    bool isTensor = isa<RankedTensorType>(tensor.getType());
    if (factsOf(at.getOf()).ragged)
      give(at.getPositions(), isTensor ? Names{nameOr(tensor, 0, "total_kv")} : Names{""});
    else
      give(at.getPositions(), {batchName.str(), isTensor ? nameOr(tensor, 1, "seq_kv") : "max_positions"});
  }

  static StringRef valueDimName(Value keys, Value values) {
    auto a = cast<RankedTensorType>(keys.getType()), b = cast<RankedTensorType>(values.getType());
    bool same = a.getRank() && b.getRank() && a.getShape().back() == b.getShape().back();
    return same ? "head_dim" : "head_dim_v";
  }

  /// Tensors that hold keys and, in the second, values: `names`, or the first tensor's own, but for the last dimension.
  void nameData(OperandRange tensors, Names names) {
    for (Value tensor : tensors) {
      names.back() = valueDimName(tensors[0], tensor).str();
      give(tensor, names);
      if (Names own = of(tensor); own.size() == names.size())
        names = own;
    }
  }

  void nameKeys(Value keys, StringRef batchName, StringRef seqName) {
    if (isa<RankedTensorType>(keys.getType()))
      return give(keys, {batchName.str(), seqName.str(), "kv_heads", "head_dim"});
    Operation *maker = keys.getDefiningOp();
    if (!maker)
      return;
    TypeSwitch<Operation *>(maker)
        .Case<DenseOp>([&](DenseOp op) {
          nameData(op.getTensors(), {batchName.str(), seqName.str(), "kv_heads", "head_dim"});
          if (op.getLens() && !op.getTensors().empty())
            give(op.getLens(), {nameOr(op.getTensors()[0], 0, batchName)});
        })
        .Case<RaggedOp>([&](RaggedOp op) {
          nameData(op.getTensors(), {seqName == "seq_new" ? "total_new" : "total_kv", "kv_heads", "head_dim"});
          give(op.getIndptr(), {batchName == "shared_batch" ? "shared_batch_ends" : "batch_ends"});
        })
        .Case<PagesOp>([&](PagesOp op) {
          nameData(op.getPools(), {"pages", "page_size", "kv_heads", "head_dim"});
          bool runs = cast<RankedTensorType>(op.getTable().getType()).getRank() == 3;
          give(op.getTable(), runs ? Names{batchName.str(), "max_runs", ""} : Names{batchName.str(), "max_pages"});
          give(op.getLens(), {batchName.str()});
        })
        .Case<ShareOp>([&](ShareOp op) {
          nameKeys(op.getOf(), "shared_batch", seqName); // its batch divides ours and is another number
          if (op.getRows())
            give(op.getRows(), {batchName.str(), seqName.str()});
        })
        .Case<AtOp>([&](AtOp op) {
          nameKeys(op.getOf(), batchName, seqName);
          namePositions(op, batchName);
        })
        .Case<ConcatOp>([&](ConcatOp op) {
          for (Value part : op.getParts())
            nameKeys(part, batchName, seqName);
        });
  }

  /// The tensor that a query is made of; null if the verifier refuses it anyway.
  static Value tensorOfQuery(Value query) {
    while (query && !isa<RankedTensorType>(query.getType())) {
      Operation *maker = query.getDefiningOp();
      query = maker && maker->getNumOperands() ? maker->getOperand(0) : Value();
    }
    return query;
  }

  void name(ScoresOp op) { nameKeys(op.getKeys(), batch, "seq_kv"); }

  void name(SoftmaxOp op) {
    ScoresOp scores = scoresOf(op.getScores());
    Value query = scores ? tensorOfQuery(scores.getQuery()) : Value();
    Names names = query ? of(query) : Names();
    if (names.size() < 2)
      return;
    if (op.getSink())
      give(op.getSink(), {names[names.size() - 2]});
    names.pop_back();
    if (op.getLse())
      give(op.getLse(), names);
  }

  void name(OutputOp op) {
    ScoresOp scores = scoresOf(op.getProbs());
    if (!scores)
      return;
    if (isa<RankedTensorType>(op.getValues().getType()) && isa<RankedTensorType>(scores.getKeys().getType())) {
      Names names = of(scores.getKeys());
      if (!names.empty())
        names.back() = valueDimName(scores.getKeys(), op.getValues()).str();
      give(op.getValues(), names);
    }
    Value query = tensorOfQuery(scores.getQuery());
    Names names = query ? of(query) : Names();
    if (names.empty())
      return;
    if (valueDimName(query, op.getOutput()) != "head_dim")
      names.back() = "head_dim_v";
    give(op.getOutput(), names);
  }

  void name(SumsOp op) {
    ScoresOp scores = scoresOf(op.getProbs());
    Value query = scores ? tensorOfQuery(scores.getQuery()) : Value();
    Names names = query ? of(query) : Names();
    if (names.size() < 2)
      return;
    // Entries that lie in pages, packed or in several places have no length that a tensor knows.
    Value keys = scores.getKeys();
    if (auto dense = keys.getDefiningOp<DenseOp>(); dense && !dense.getTensors().empty())
      keys = dense.getTensors()[0];
    bool isTensor = isa<RankedTensorType>(keys.getType());
    give(op.getSums(), {batch, names[names.size() - 2], isTensor ? nameOr(keys, 1, "seq_kv") : "max_keys"});
  }

  void name(SelectOp op) {
    give(op.getSums(), {batch, "heads", "seq_kv"});
    Names names = of(op.getSums());
    if (names.size() != 3)
      return;
    give(op.getList(), {names[0], names[1], "max_listed"});
    give(op.getCount(), {names[0], names[1]});
    if (op.getBelow())
      give(op.getBelow(), {names[0]});
  }

  void name(MergeOp op) {
    give(op.getOutput(), {"batch", "seq_q", "heads", "head_dim"});
    if (cast<RankedTensorType>(op.getOutput().getType()).getRank() == 3)
      roles[op.getOutput()] = {"total_q", "heads", "head_dim"};
    Names result = of(op.getOutput());
    Names row(result.begin(), result.empty() ? result.end() : result.end() - 1);
    auto giveOneOrStack = [&](Value part, Names names) {
      if (cast<RankedTensorType>(part.getType()).getRank() == int64_t(names.size()) + 1)
        names.insert(names.begin(), "parts");
      give(part, names);
    };
    for (Value part : op.getOutputs())
      giveOneOrStack(part, result);
    for (Value lse : op.getLses())
      giveOneOrStack(lse, row);
    if (op.getSink() && !row.empty())
      give(op.getSink(), {row.back()});
    if (op.getLse())
      give(op.getLse(), row);
  }

  void name(AppendOp op) {
    nameKeys(op.getCache(), batch, "seq_kv");
    nameKeys(op.getSource(), batch, "seq_new");
  }

  llvm::DenseMap<Value, Names> roles;
  std::string batch = "batch"; ///< as the query calls it
};

NamedValue namedValue(StringRef name, Type type, Value value, const DimensionNames &names) {
  NamedValue result{name, type, {}};
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return result;
  Names dimensions = names.of(value);
  for (auto [dimension, size] : llvm::zip(dimensions, tensor.getShape()))
    result.dimensions.push_back({dimension, size});
  return result;
}
} // namespace

SmallVector<NamedValue> argumentsOf(KernelOp kernel) {
  DimensionNames names(kernel);
  SmallVector<NamedValue> result;
  for (BlockArgument argument : kernel.getBody().getArguments())
    result.push_back(namedValue(kernel.argName(argument.getArgNumber()), argument.getType(), argument, names));
  return result;
}

SmallVector<NamedValue> resultsOf(KernelOp kernel) {
  DimensionNames names(kernel);
  SmallVector<NamedValue> result;
  auto values = cast<ReturnOp>(kernel.getBody().front().getTerminator()).getValues();
  for (auto [index, value] : llvm::enumerate(values))
    if (index < kernel.getResultTypes().size())
      result.push_back(namedValue(kernel.resultName(index), value.getType(), value, names));
  return result;
}

} // namespace attn
