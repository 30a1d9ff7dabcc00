// SPDX-License-Identifier: Apache-2.0
// The rules of a kernel as a whole: its signature, its lines, what they add up to.
#include "dialect/AttnRules.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn {

LogicalResult KernelOp::verifyRegions() { return KernelRules(*this).check(); }

bool canBeEqual(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  return a.size() == b.size() &&
         llvm::all_of(llvm::zip(a, b), [](auto sizes) { return canBeEqual(std::get<0>(sizes), std::get<1>(sizes)); });
}

std::string KernelRules::nameOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return ("'" + kernel.argName(argument.getArgNumber()) + "'").str();
  return ("the result of '" + value.getDefiningOp()->getName().getStringRef() + "'").str();
}

/// Whether a line reads a value that no line before it gives. The verifier says so, but only after the rules are
/// checked.
static bool readsAhead(Block &block) {
  return llvm::any_of(block, [](Operation &op) {
    return llvm::any_of(op.getOperands(), [&](Value operand) {
      Operation *maker = operand.getDefiningOp();
      return maker && (maker->getBlock() != op.getBlock() || !maker->isBeforeInBlock(&op));
    });
  });
}

LogicalResult KernelRules::check() {
  // Everything below walks results back to arguments: there must be some, and no line may feed itself.
  if (readsAhead(kernel.getBody().front()))
    return success();
  checkSignature();
  if (failed)
    return failure();
  checkOneAttention();
  for (Operation &op : kernel.getBody().front())
    checkStep(&op);
  checkSizes();
  checkNamesOfDimensions();
  checkAgreement();
  return failure(failed);
}

//===-- signature ----------------------------------------------------------===//

static bool isArgumentType(Type type) {
  return isa<RankedTensorType, IndexType>(type) || type.isF32() || type.isInteger(32) || type.isInteger(1);
}

/// Names are those at launch, so they are words of the kernel file, too. The text of a spec allows more in arguments,
/// and the generic form anything.
void KernelRules::checkNames() {
  auto isFirst = [](char c) { return llvm::isAlpha(c) || c == '_' || c == '$'; };
  auto isWord = [&](StringRef name) {
    return !name.empty() && isFirst(name.front()) &&
           llvm::all_of(name, [&](char c) { return isFirst(c) || llvm::isDigit(c) || c == '.'; });
  };
  llvm::StringSet<> seen;
  auto check = [&](StringRef name, StringRef what) {
    if (!isWord(name))
      fail(kernel) << what << " with names of letters, digits, _, $ and . that begin with a letter, _ or $, got '"
                   << name << "'";
  };
  for (unsigned i = 0, e = kernel.getArgumentTypes().size(); i != e; ++i) {
    check(kernel.argName(i), "arguments");
    if (!seen.insert(kernel.argName(i)).second)
      fail(kernel) << "arguments with different names, got '" << kernel.argName(i) << "' twice";
  }
  for (unsigned i = 0, e = kernel.getResultTypes().size(); i != e; ++i)
    check(kernel.resultName(i), "results");
}

void KernelRules::checkSignature() {
  checkNames();
  for (auto [index, type] : llvm::enumerate(kernel.getArgumentTypes()))
    if (!isArgumentType(type))
      fail(kernel) << "arguments that are tensors, f32, index, i32 or i1, got '" << kernel.argName(index)
                   << "' of type " << type;
  if (!isa<ReturnOp>(kernel.getBody().front().back()))
    fail(kernel) << "a body that ends with attn.return";
  llvm::StringSet<> seen;
  for (auto [index, type] : llvm::enumerate(kernel.getResultTypes())) {
    StringRef name = kernel.resultName(index);
    if (!seen.insert(name).second)
      fail(kernel) << "results with different names, got '" << name << "' twice";
    for (auto [argument, argumentType] : llvm::enumerate(kernel.getArgumentTypes()))
      if (kernel.argName(argument) == name && argumentType != type)
        fail(kernel) << "result '" << name << "' to have the type of the argument it replaces, " << argumentType
                     << ", got " << type;
  }
}

/// Data, which has a name by its role: rules of the chain compare it, with sentences of their own. Lists and tables,
/// integers of rank 1 or 2, have no such rules.
static bool isNamedByRole(const NamedValue &value) {
  auto tensor = dyn_cast<RankedTensorType>(value.type);
  return tensor && !tensor.getEncoding() && (isa<FloatType>(tensor.getElementType()) || tensor.getRank() > 2);
}

void KernelRules::checkSizes() {
  struct Seen {
    int64_t size;
    StringRef tensor;
    bool byRole;
  };
  llvm::StringMap<Seen> seen;
  SmallVector<NamedValue> values = argumentsOf(kernel);
  llvm::append_range(values, resultsOf(kernel));
  for (const NamedValue &value : values)
    for (const NamedDimension &dimension : value.dimensions) {
      if (dimension.name.empty() || dimension.isDynamic())
        continue;
      bool byRole = isNamedByRole(value);
      auto [found, isNew] = seen.try_emplace(dimension.name, Seen{dimension.size, value.name, byRole});
      const Seen &first = found->second;
      if (!isNew && first.size != dimension.size && !(first.byRole && byRole))
        fail(kernel) << "one size for dimension '" << dimension.name << "', got " << first.size << " in '"
                     << first.tensor << "' and " << dimension.size << " in '" << value.name << "'";
    }
}

void KernelRules::checkNamesOfDimensions() {
  SmallVector<NamedValue> arguments = argumentsOf(kernel);
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    bool readByFunctionsOnly = llvm::all_of(argument.getUsers(), llvm::IsaPred<ModifyOp, MaskOp, ReweightOp, SumsOp>);
    auto isNameless = [](const NamedDimension &dimension) { return dimension.isDynamic() && dimension.name.empty(); };
    if (!readByFunctionsOnly || llvm::none_of(arguments[argument.getArgNumber()].dimensions, isNameless))
      continue;
    Operation *reader = argument.use_empty() ? kernel.getOperation() : *argument.user_begin();
    fail(reader) << "#attn.dims on the type of " << nameOf(argument) << ": "
                 << (argument.use_empty() ? "nothing reads it" : "only functions read it")
                 << ", so nothing else names its dimensions";
  }
}

//===-- lines --------------------------------------------------------------===//

void KernelRules::checkOneAttention() {
  Block &body = kernel.getBody().front();
  Operation *first = nullptr, *firstOutput = nullptr;
  for (Operation &op : body) {
    if (!isa<SoftmaxOp, MergeOp, OutputOp>(op))
      continue;
    Operation *&same = isa<OutputOp>(op) ? firstOutput : first;
    if (same)
      fail(&op).append("one attention per kernel, got a second one").attachNote(same->getLoc()) << "the first is here";
    else
      same = &op;
  }
  if (kernel.getResultTypes().empty() && body.getOps<AppendOp>().empty())
    fail(kernel) << "a result or an append: as written this kernel does nothing";
}

void KernelRules::checkStep(Operation *op) {
  StringRef dialect = op->getName().getDialectNamespace();
  if (dialect == "arith")
    return checkArithmetic(op);
  if (isa<MemberOp, RowOp, ColumnOp>(op)) {
    fail(op) << "to stand in a score or mask function, not in a kernel";
    return;
  }
  if (dialect != "attn") {
    fail(op) << "to stand in a function: a kernel holds attn and arith operations only";
    return;
  }
  checkUsed(op);
  Type f32 = Float32Type::get(op->getContext()), i1 = IntegerType::get(op->getContext(), 1);
  TypeSwitch<Operation *>(op)
      .Case([&](DenseOp op) { checkDense(op); })
      .Case([&](RaggedOp op) { checkRagged(op); })
      .Case([&](PagesOp op) { checkPages(op); })
      .Case([&](ShareOp op) { checkShare(op); })
      .Case([&](ConcatOp op) { checkConcat(op); })
      .Case([&](AtOp op) { checkAt(op); })
      .Case([&](AppendOp op) { checkAppend(op); })
      .Case([&](ScoresOp op) { checkScores(op); })
      .Case([&](ModifyOp op) { checkFunction(op, op.getByAttr(), op.getParams(), /*takesScore=*/true, f32); })
      .Case([&](MaskOp op) { checkFunction(op, op.getByAttr(), op.getParams(), /*takesScore=*/false, i1); })
      .Case([&](ReweightOp op) { checkFunction(op, op.getByAttr(), op.getParams(), /*takesScore=*/true, f32); })
      .Case([&](SumsOp op) {
        if (op.getByAttr())
          checkFunction(op, op.getByAttr(), op.getParams(), /*takesScore=*/false, i1);
        checkSums(op);
      })
      .Case([&](SelectOp op) { checkSelect(op); })
      .Case([&](SoftmaxOp op) { checkSoftmax(op); })
      .Case([&](OutputOp op) { checkOutput(op); })
      .Case([&](MergeOp op) { checkMerge(op); })
      .Case([&](ReturnOp op) { checkReturn(op); });
}

void KernelRules::checkArithmetic(Operation *op) {
  auto isScalar = [](Type type) { return type.isIntOrIndexOrFloat(); };
  for (Type type :
       llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()), SmallVector<Type>(op->getResultTypes())))
    if (!isScalar(type)) {
      fail(op) << "scalars, got " << type << ": arithmetic on elements stands in score and mask functions";
      return;
    }
}

void KernelRules::checkUsed(Operation *op) {
  if (op->getNumResults() == 0 || !op->use_empty())
    return;
  InFlightDiagnostic diagnostic = fail(op) << "its result to be used: as written this line has no effect";
  if (!isa<ModifyOp, MaskOp, ReweightOp>(op))
    return;
  for (Operation *reader : op->getOperand(0).getUsers())
    if (reader != op) {
      diagnostic.attachNote(reader->getLoc()) << "this line reads what it was given instead";
      return;
    }
}

void KernelRules::checkReturn(ReturnOp op) {
  ArrayRef<Type> wanted = kernel.getResultTypes();
  if (wanted.size() != op.getValues().size()) {
    fail(op) << wanted.size() << " values, as the kernel's results say, got " << op.getValues().size();
    return;
  }
  for (auto [index, value] : llvm::enumerate(op.getValues())) {
    if (value.getType() != wanted[index])
      fail(op) << "'" << kernel.resultName(index) << "' of type " << wanted[index] << ", got " << value.getType();
    if (isa<BlockArgument>(value))
      fail(op) << "'" << kernel.resultName(index) << "' to be computed here, got the argument " << nameOf(value);
  }
}

} // namespace attn
