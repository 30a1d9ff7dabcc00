// SPDX-License-Identifier: Apache-2.0
// The function around a schedule's text.
#include "passes/KernelWrapper.h"

#include "passes/DataFacts.h"

using namespace mlir;

namespace attn {

/// Arguments that hold queries, keys, values or outputs.
static bool isData(BlockArgument argument) {
  return llvm::any_of(argument.getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto dense = dyn_cast<DenseOp>(user))
      return llvm::is_contained(dense.getTensors(), use.get());
    if (auto ragged = dyn_cast<RaggedOp>(user))
      return llvm::is_contained(ragged.getTensors(), use.get());
    if (auto pages = dyn_cast<PagesOp>(user))
      return llvm::is_contained(pages.getPools(), use.get());
    if (auto at = dyn_cast<AtOp>(user))
      return at.getOf() == use.get();
    if (auto scores = dyn_cast<ScoresOp>(user))
      return scores.getScale() != use.get();
    if (auto output = dyn_cast<OutputOp>(user))
      return output.getValues() == use.get();
    if (auto merge = dyn_cast<MergeOp>(user))
      return llvm::is_contained(merge.getOutputs(), use.get());
    if (isa<AppendOp>(user))
      return true;
    return isa<ShareOp>(user) ? cast<ShareOp>(user).getOf() == use.get() : isa<ConcatOp>(user);
  });
}

/// Results whose rows are head_dim elements each.
static bool isOutput(Value value) {
  Operation *maker = value.getDefiningOp();
  return isa<OutputOp, MergeOp>(maker) && value == maker->getResult(0);
}

/// The name of a result of the chain; empty if nobody asked for it.
static StringRef nameOfResult(KernelOp kernel, Value value) {
  for (auto [i, returned] : llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands()))
    if (value && returned == value)
      return kernel.resultName(i);
  return {};
}

/// Memory as a launch passes it: any strides, but head_dim contiguous in data.
static Type memoryType(Type type, bool isData) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return type;
  SmallVector<int64_t> strides(tensor.getRank(), ShapedType::kDynamic);
  if (isData)
    strides.back() = 1;
  auto layout = StridedLayoutAttr::get(type.getContext(), 0, strides);
  return MemRefType::get(tensor.getShape(), tensor.getElementType(), layout);
}

KernelWrapper::KernelWrapper(KernelOp kernel, SymbolTable &symbols, StringRef suffix, int64_t warps, int64_t stages)
    : kernel(kernel), builder(kernel.getLoc(), kernel.getContext()) {
  createFunction(suffix, symbols);
  function->setAttr("tile.warps", builder.getI64IntegerAttr(warps));
  function->setAttr("tile.stages", builder.getI64IntegerAttr(stages));
  if (Attribute unaligned = kernel->getAttr("attn.unaligned"))
    function->setAttr("attn.unaligned", unaligned);
  Block *body = function.addEntryBlock();
  arguments.map(kernel.getBody().getArguments(), body->getArguments().take_front(kernel.getArgumentTypes().size()));
  builder.setInsertionPointToStart(body);
  // Constants that the kernel's text computes with (caps, windows) move into the wrapper.
  for (Operation &op : kernel.getBody().front())
    if (op.getDialect()->getNamespace() == "arith")
      builder.clone(op, arguments);
}

void KernelWrapper::createFunction(StringRef suffix, SymbolTable &symbols) {
  SmallVector<NamedValue> values = argumentsOf(kernel), results = resultsOf(kernel);
  SmallVector<Type> types;
  for (auto [value, argument] : llvm::zip(values, kernel.getBody().getArguments()))
    types.push_back(memoryType(value.type, isData(argument)));
  size_t inputs = values.size();
  SmallVector<StringRef> written = appendedArguments(kernel);
  auto returned = kernel.getBody().front().getTerminator()->getOperands();
  for (auto [result, value] : llvm::zip(results, returned)) {
    if (llvm::any_of(values, [&](const NamedValue &other) { return other.name == result.name; })) {
      written.push_back(result.name);
      continue;
    }
    values.push_back(result);
    types.push_back(memoryType(result.type, isOutput(value)));
  }
  builder.setInsertionPoint(kernel);
  std::string name = (kernel.getSymName() + suffix).str();
  while (symbols.lookup(name)) // the user may have a kernel of that name
    name += "_";
  function = func::FuncOp::create(builder, name, builder.getFunctionType(types, {}));
  symbols.insert(function); // the next step's name is new as well
  for (auto [i, value] : llvm::enumerate(values)) {
    describeArgument(i, value);
    if (i >= inputs)
      function.setArgAttr(i, "attn.result", builder.getUnitAttr());
    else if (llvm::is_contained(written, value.name))
      function.setArgAttr(i, "attn.written", builder.getUnitAttr());
  }
}

void KernelWrapper::describeArgument(unsigned number, const NamedValue &value) {
  function.setArgAttr(number, "attn.name", builder.getStringAttr(value.name));
  SmallVector<Attribute> dims;
  for (const NamedDimension &dimension : value.dimensions)
    dims.push_back(builder.getStringAttr(dimension.name));
  if (isa<ShapedType>(value.type))
    function.setArgAttr(number, "attn.dims", builder.getArrayAttr(dims));
}

SmallVector<Value> KernelWrapper::of(ValueRange ofKernel) const {
  return llvm::map_to_vector(ofKernel, [&](Value value) { return of(value); });
}

Value KernelWrapper::memoryNamed(StringRef name) {
  for (BlockArgument argument : function.getArguments())
    if (function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "attn.name") == name)
      return argument;
  return {};
}

Value KernelWrapper::memoryOfResult(Value chainValue) {
  StringRef name = nameOfResult(kernel, chainValue);
  return name.empty() ? Value() : memoryNamed(name);
}

Value KernelWrapper::resultView(Value chainValue, tile::ViewType absent, const SequencePart &query, Value head,
                                int64_t packed) {
  if (Value memory = memoryOfResult(chainValue))
    return views.viewOfResult(memory, query, head, packed);
  return tile::AbsentOp::create(builder, absent);
}

ValueRange KernelWrapper::programs(ArrayRef<Value> extents) {
  SmallVector<Type> indices(extents.size(), builder.getIndexType());
  return tile::ProgramOp::create(builder, indices, extents).getIds();
}

} // namespace attn
