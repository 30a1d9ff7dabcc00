// SPDX-License-Identifier: Apache-2.0
// The rules of sequences: what they are made of, and which sizes and tables that asks for.
#include "dialect/AttnRules.h"

using namespace mlir;

namespace attn {

static constexpr StringRef kDenseNames[] = {"batch", "seq", "heads", "head_dim"};
static constexpr StringRef kRaggedNames[] = {"total", "heads", "head_dim"};
static constexpr StringRef kPagesNames[] = {"pages", "page_size", "kv_heads", "head_dim"};

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

//===-- tensors ------------------------------------------------------------===//

bool KernelRules::checkRank(Operation *op, Value value, ArrayRef<StringRef> names) {
  if (tensorType(value).getRank() == int64_t(names.size()))
    return true;
  fail(op) << nameOf(value) << " of rank " << names.size() << " (" << llvm::join(names, ", ") << "), got rank "
           << tensorType(value).getRank();
  return false;
}

/// The last two dimensions of data, heads and head_dim, are part of the kernel.
void KernelRules::checkStatic(Operation *op, Value value, ArrayRef<StringRef> names) {
  for (size_t i = names.size() - 2; i < names.size(); ++i)
    if (tensorType(value).isDynamicDim(i))
      fail(op) << "a static " << names[i] << " in " << nameOf(value);
}

void KernelRules::checkTensors(Operation *op, OperandRange tensors, ArrayRef<StringRef> names) {
  if (tensors.size() != 1 && tensors.size() != 2) {
    fail(op) << "one tensor, or keys and values, got " << tensors.size() << " tensors";
    return;
  }
  bool haveRank = true;
  for (auto [index, tensor] : llvm::enumerate(tensors)) {
    haveRank &= checkPlainTensor(op, tensor, tensors.size() == 1 ? "entries" : index ? "values" : "keys", names);
  }
  if (!haveRank || tensors.size() == 1)
    return;
  RankedTensorType keys = tensorType(tensors[0]), values = tensorType(tensors[1]);
  if (!canBeEqual(keys.getShape().drop_back(), values.getShape().drop_back()))
    fail(op) << "keys and values that differ in head_dim only, got " << keys << " and " << values;
}

/// Returns whether the rank is right, so that sizes may be compared.
bool KernelRules::checkPlainTensor(Operation *op, Value value, StringRef what, ArrayRef<StringRef> names) {
  if (!isa<FloatType>(tensorType(value).getElementType()))
    fail(op) << what << " of a floating-point type, got " << tensorType(value).getElementType();
  if (!checkRank(op, value, names))
    return false;
  checkStatic(op, value, names);
  return true;
}

void KernelRules::checkTable(Operation *op, Value value, StringRef what, ArrayRef<StringRef> names) {
  if (Type element = tensorType(value).getElementType(); !isTableInteger(element))
    fail(op) << what << " of i32 or i64, got " << element;
  if (!names.empty())
    checkRank(op, value, names);
}

//===-- operations ---------------------------------------------------------===//

void KernelRules::checkDense(DenseOp op) {
  checkTensors(op, op.getTensors(), kDenseNames);
  if (op.getLens())
    checkTable(op, op.getLens(), "lengths", {"batch"});
}

void KernelRules::checkRagged(RaggedOp op) {
  checkTensors(op, op.getTensors(), kRaggedNames);
  checkTable(op, op.getIndptr(), "row ends", {"batch + 1"});
}

void KernelRules::checkPages(PagesOp op) {
  checkTensors(op, op.getPools(), kPagesNames);
  checkTable(op, op.getLens(), "lengths", {"batch"});
  checkTable(op, op.getTable(), "page_table", {});
  RankedTensorType table = tensorType(op.getTable());
  if (table.getRank() != 2 && !(table.getRank() == 3 && table.getDimSize(2) == 2))
    fail(op) << "page_table of shape (batch, max_pages), or (batch, max_runs, 2) for runs of pages, got " << table;
  for (Value pool : op.getPools())
    if (tensorType(pool).getRank() == 4 && tensorType(pool).isDynamicDim(1))
      fail(op) << "a static page_size in " << nameOf(pool);
}

void KernelRules::checkShare(ShareOp op) {
  if (!op.getRows())
    return;
  checkTable(op, op.getRows(), "rows", {});
  RankedTensorType rows = tensorType(op.getRows());
  if (rows.getRank() != 1 && rows.getRank() != 2)
    fail(op) << "rows of shape (batch) or (batch, seq), got " << rows;
}

void KernelRules::checkAt(AtOp op) {
  if (isa<RankedTensorType>(op.getOf().getType()))
    checkPlainTensor(op, op.getOf(), "entries", kDenseNames);
  if (!op.getPositions() == !op.getFirst()) {
    fail(op) << "either [positions] or from first, got " << (op.getFirst() ? "both" : "neither");
    return;
  }
  if (op.getFirst())
    checkTable(op, op.getFirst(), "first positions", {"batch"});
  else if (factsOf(op.getOf()).ragged)
    checkTable(op, op.getPositions(), "positions", {"total"});
  else
    checkTable(op, op.getPositions(), "positions", {"batch", "seq"});
}

static std::string partText(const SequenceFacts &part) {
  return (Twine(part.heads()) + " x " + Twine(part.keyDim()) + "/" + Twine(part.valueDim())).str();
}

void KernelRules::checkConcat(ConcatOp op) {
  if (op.getParts().size() < 2) {
    fail(op) << "two sequences or more, got " << op.getParts().size();
    return;
  }
  checkNamesOfParts(op);
  bool somePositions = false, allPositions = true;
  SequenceFacts first = factsOf(op.getParts()[0]);
  for (Value value : op.getParts()) {
    SequenceFacts part = factsOf(value);
    somePositions |= part.positions;
    allPositions &= part.positions;
    if (!first.wellFormed || !part.wellFormed)
      continue;
    if (first.numTensors != part.numTensors)
      fail(op) << "parts of the same number of tensors, got " << first.numTensors << " and " << part.numTensors;
    else if (partText(first) != partText(part))
      fail(op) << "parts with the same kv_heads and head_dim, got " << partText(first) << " and " << partText(part);
  }
  if (somePositions != allPositions)
    fail(op) << "positions on every part or on none";
}

namespace {
/// A dimension of a part that has no name of its own.
struct PartDimension {
  Value tensor;
  unsigned index;
  StringRef what, name;
};
} // namespace

/// What the parts of a concat may have differently: lengths, pages and tables, and the batch of what is shared. Goes
/// through `share` and `at`.
static void collectPartDimensions(Value part, SmallVectorImpl<PartDimension> &dimensions, bool isShared = false) {
  Operation *maker = part.getDefiningOp();
  auto add = [&](Value tensor, unsigned index, StringRef what, StringRef name) {
    if (!tensorType(tensor).getEncoding() && index < tensorType(tensor).getRank())
      dimensions.push_back({tensor, index, what, name});
  };
  auto addBatch = [&](Value tensor, StringRef name) {
    if (isShared)
      add(tensor, 0, "batch", name);
  };
  if (auto share = dyn_cast_or_null<ShareOp>(maker)) {
    if (share.getRows())
      add(share.getRows(), 1, "length", "seq_kv");
    return collectPartDimensions(share.getOf(), dimensions, /*isShared=*/true);
  }
  if (auto at = dyn_cast_or_null<AtOp>(maker)) {
    if (at.getPositions() && factsOf(at.getOf()).paged)
      add(at.getPositions(), 1, "number of positions", "max_positions");
    return collectPartDimensions(at.getOf(), dimensions, isShared);
  }
  if (isa<RankedTensorType>(part.getType()))
    return add(part, 1, "length", "seq_kv");
  if (auto dense = dyn_cast_or_null<DenseOp>(maker); dense && !dense.getTensors().empty()) {
    add(dense.getTensors()[0], 1, "length", "seq_kv");
    addBatch(dense.getTensors()[0], "shared_batch");
  }
  if (auto ragged = dyn_cast_or_null<RaggedOp>(maker); ragged && !ragged.getTensors().empty()) {
    add(ragged.getTensors()[0], 0, "length", "total_kv");
    addBatch(ragged.getIndptr(), "shared_batch_ends");
  }
  if (auto pages = dyn_cast_or_null<PagesOp>(maker); pages && !pages.getPools().empty()) {
    add(pages.getPools()[0], 0, "number of pages", "pages");
    add(pages.getPools()[0], 1, "size of pages", "page_size");
    bool runs = tensorType(pages.getTable()).getRank() == 3;
    add(pages.getTable(), 1, "length", runs ? "max_runs" : "max_pages");
    addBatch(pages.getTable(), "shared_batch");
  }
}

void KernelRules::checkNamesOfParts(ConcatOp op) {
  SmallVector<PartDimension> seen;
  for (Value part : op.getParts()) {
    SmallVector<PartDimension> dimensions;
    collectPartDimensions(part, dimensions);
    for (const PartDimension &dimension : dimensions) {
      const PartDimension *other = llvm::find_if(seen, [&](const PartDimension &other) {
        int64_t a = tensorType(other.tensor).getDimSize(other.index);
        int64_t b = tensorType(dimension.tensor).getDimSize(dimension.index);
        return other.name == dimension.name && other.tensor != dimension.tensor && (a != b || ShapedType::isDynamic(a));
      });
      if (other != seen.end())
        fail(op) << "#attn.dims on " << nameOf(other->tensor) << " and " << nameOf(dimension.tensor)
                 << ": both would call their " << dimension.what << " '" << dimension.name << "'";
    }
    llvm::append_range(seen, dimensions);
  }
}

//===-- append -------------------------------------------------------------===//

static std::string entryText(const SequenceFacts &facts) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << facts.numTensors << " of " << facts.heads() << " x " << facts.keyDim();
  if (facts.valueDim() != facts.keyDim())
    stream << "/" << facts.valueDim();
  stream << " x " << facts.first.getElementType();
  if (facts.second && facts.second.getElementType() != facts.first.getElementType())
    stream << "/" << facts.second.getElementType();
  return text;
}

void KernelRules::checkAppend(AppendOp op) {
  if (isa<RankedTensorType>(op.getSource().getType()))
    checkPlainTensor(op, op.getSource(), "entries", kDenseNames);
  Operation *maker = op.getCache().getDefiningOp();
  if (!isa<DenseOp, PagesOp>(maker)) {
    fail(op) << "a cache made by attn.dense or attn.pages, got '" << maker->getName().getStringRef() << "'";
    return;
  }
  OperandRange tensors = isa<DenseOp>(maker) ? cast<DenseOp>(maker).getTensors() : cast<PagesOp>(maker).getPools();
  for (Value tensor : tensors)
    if (!isa<BlockArgument>(tensor))
      fail(op) << "a cache that lies in arguments of the kernel, got " << nameOf(tensor);
  SequenceFacts cache = factsOf(op.getCache()), source = factsOf(op.getSource());
  if (cache.wellFormed && source.wellFormed && entryText(cache) != entryText(source))
    fail(op) << "new entries like those of the cache, " << entryText(cache) << ", got " << entryText(source);
}

} // namespace attn
