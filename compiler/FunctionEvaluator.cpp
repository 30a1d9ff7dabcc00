// SPDX-License-Identifier: Apache-2.0
// Compiles score and mask functions to the interpreter's code: operations of func, arith, math, tensor.extract and
// attn.member, calls put in place.
#include "compiler/Interpreter.h"

#include "dialect/Attn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace attn {

std::string placeOf(Operation *operation) {
  auto file = operation->getLoc()->findInstanceOf<FileLineColLoc>();
  if (!file)
    return "";
  return file.getFilename().str() + ":" + std::to_string(file.getLine()) + ":" + std::to_string(file.getColumn()) +
         ": ";
}

namespace {

/// Calls are put in place one inside the other: deeper ones are refused.
constexpr unsigned MaxDepth = 64;

struct Simple {
  Opcode code;
  unsigned operands;
};

const llvm::StringMap<Simple> &simpleOperations() {
  static const auto *table = new llvm::StringMap<Simple>{
#define ATTN_REAL(code, name, operands, expression) {name, {Opcode::code, operands}},
#define ATTN_TEST(code, name, expression) {name, {Opcode::code, 1}},
#define ATTN_SIGNED(code, name, operands, expression) {name, {Opcode::code, operands}},
#define ATTN_UNSIGNED(code, name, operands, expression) {name, {Opcode::code, operands}},
#define ATTN_DIVIDE(code, name, expression) {name, {Opcode::code, 2}},
#define ATTN_UDIVIDE(code, name, expression) {name, {Opcode::code, 2}},
#include "compiler/FunctionOps.def"
      {"arith.extsi", {Opcode::SignExtend, 1}},
      {"arith.trunci", {Opcode::SignExtend, 1}},
      {"arith.index_cast", {Opcode::SignExtend, 1}},
      {"arith.extui", {Opcode::ZeroExtend, 1}},
      {"arith.index_castui", {Opcode::ZeroExtend, 1}},
      {"arith.extf", {Opcode::ExtF, 1}},
      {"arith.truncf", {Opcode::TruncF, 1}},
      {"arith.sitofp", {Opcode::SIToFP, 1}},
      {"arith.uitofp", {Opcode::UIToFP, 1}},
      {"arith.fptosi", {Opcode::FPToSI, 1}},
      {"arith.fptoui", {Opcode::FPToUI, 1}},
      {"arith.select", {Opcode::Select, 3}},
      {"arith.cmpi", {Opcode::CmpI, 2}},
      {"arith.cmpf", {Opcode::CmpF, 2}},
      {"math.fpowi", {Opcode::FPowI, 2}},
      {"math.ipowi", {Opcode::IPowI, 2}},
  };
  return *table;
}

std::optional<DType> realType(Type type) {
  std::optional<DType> element = elementTypeOf(type);
  return element && isFloat(*element) ? element : std::nullopt;
}

/// Bits of an integer or index; 0 for any other type and for integers that no slot holds.
unsigned widthOf(Type type) {
  if (type.isIndex())
    return 64;
  auto integer = dyn_cast<IntegerType>(type);
  return integer && integer.getWidth() <= 64 ? integer.getWidth() : 0;
}

/// The value of a constant of a type that is a number.
Slot valueOf(Attribute constant) {
  Slot value{0};
  if (auto number = dyn_cast<FloatAttr>(constant))
    value.f = number.getValueAsDouble();
  else
    value.i = cast<IntegerAttr>(constant).getValue().sextOrTrunc(64).getSExtValue();
  return value;
}

bool isNumber(Type type) { return realType(type) || widthOf(type); }

} // namespace

class FunctionCompiler {
public:
  FunctionCompiler() { program.slots.resize(FunctionProgram::NumInputs); }

  llvm::Error function(func::FuncOp function, bool takesScore, ArrayRef<FunctionParameter> parameters);
  llvm::Error operation(Operation *operation, StringRef function);
  void bind(Value value, Slot number) { slotOf[value] = constant(number); }
  uint32_t slot(Value value) const { return slotOf.lookup(value); }
  FunctionProgram take() { return std::move(program); }

private:
  llvm::Error refuse(Operation *operation, const llvm::Twine &why) {
    return llvm::createStringError(placeOf(operation) + "'" + operation->getName().getStringRef() + "' op " + why);
  }
  uint32_t constant(Slot value) {
    program.slots.push_back(value);
    return program.slots.size() - 1;
  }
  void bindParameter(Value argument, const FunctionParameter &parameter);
  llvm::Error body(func::FuncOp function);
  llvm::Error call(func::CallOp call);
  void load(tensor::ExtractOp extract, uint32_t source);
  void member(attn::MemberOp member, uint32_t source);
  llvm::Error bitcast(Operation *operation, FunctionInstruction instruction);
  llvm::Error simple(Operation *operation, FunctionInstruction instruction);
  bool twoResults(Operation *operation, FunctionInstruction instruction);
  FunctionInstruction describe(Operation *operation, StringRef function);
  void emit(FunctionInstruction instruction, Value result) {
    instruction.to = constant(Slot{0});
    slotOf[result] = instruction.to;
    program.code.push_back(instruction);
  }

  FunctionProgram program;
  llvm::DenseMap<Value, uint32_t> slotOf, tensorOf;
  llvm::DenseMap<Operation *, uint32_t> sourceOf;
  SmallVector<func::FuncOp> path; ///< functions being put in place, outermost first
};

/// Everything of an instruction that follows from the types alone.
FunctionInstruction FunctionCompiler::describe(Operation *operation, StringRef function) {
  FunctionInstruction instruction;
  auto [known, added] = sourceOf.try_emplace(operation, program.sources.size());
  if (added)
    program.sources.push_back({operation->getName().getStringRef().str(), function.str(), placeOf(operation)});
  instruction.source = known->second;
  if (operation->getNumOperands())
    instruction.fromWidth = widthOf(operation->getOperand(0).getType());
  if (operation->getNumResults()) {
    instruction.width = widthOf(operation->getResult(0).getType());
    instruction.real = realType(operation->getResult(0).getType()).value_or(DType::F32);
  }
  if (auto compare = dyn_cast<arith::CmpIOp>(operation))
    instruction.predicate = static_cast<uint8_t>(compare.getPredicate());
  if (auto compare = dyn_cast<arith::CmpFOp>(operation))
    instruction.predicate = static_cast<uint8_t>(compare.getPredicate());
  return instruction;
}

void FunctionCompiler::load(tensor::ExtractOp extract, uint32_t source) {
  FunctionInstruction instruction;
  instruction.code = Opcode::Load;
  instruction.source = source;
  instruction.a = tensorOf.at(extract.getTensor()); // a parameter: nothing else in a function is a tensor
  instruction.b = program.indices.size();
  instruction.c = extract.getIndices().size();
  for (Value index : extract.getIndices())
    program.indices.push_back(slot(index));
  emit(instruction, extract.getResult());
}

void FunctionCompiler::member(attn::MemberOp member, uint32_t source) {
  auto tensor = [&](Value value) { return value ? &program.tensors[tensorOf.at(value)] : nullptr; };
  FunctionInstruction instruction;
  instruction.code = Opcode::Member;
  instruction.source = source;
  instruction.a = program.lists.size();
  instruction.b = program.indices.size();
  instruction.c = member.getRow().size();
  program.lists.emplace_back(*tensor(member.getList()), tensor(member.getCount()), tensor(member.getRows()),
                             instruction.c);
  program.indices.push_back(slot(member.getValue()));
  for (Value index : member.getRow())
    program.indices.push_back(slot(index));
  emit(instruction, member.getFound());
}

llvm::Error FunctionCompiler::bitcast(Operation *operation, FunctionInstruction instruction) {
  auto from = realType(operation->getOperand(0).getType()), to = realType(operation->getResult(0).getType());
  instruction.a = slot(operation->getOperand(0));
  if (from && to && from != to)
    return refuse(operation, "is not supported by the interpreter between two float types");
  if (from && !to) {
    instruction.code = Opcode::RealToBits;
    instruction.real = *from;
  } else {
    instruction.code = from ? Opcode::ExtF : to ? Opcode::BitsToReal : Opcode::SignExtend;
  }
  emit(instruction, operation->getResult(0));
  return llvm::Error::success();
}

/// Operations with a low and a high half, and math.sincos: one instruction for each result.
bool FunctionCompiler::twoResults(Operation *operation, FunctionInstruction instruction) {
  StringRef name = operation->getName().getStringRef();
  std::optional<std::pair<Opcode, Opcode>> codes;
  if (name == "arith.mulsi_extended")
    codes = {Opcode::MulI, Opcode::MulHighSigned};
  else if (name == "arith.mului_extended")
    codes = {Opcode::MulI, Opcode::MulHighUnsigned};
  else if (name == "arith.addui_extended")
    codes = {Opcode::AddI, Opcode::Carry};
  else if (name == "math.sincos")
    codes = {Opcode::Sin, Opcode::Cos};
  if (!codes)
    return false;
  instruction.a = slot(operation->getOperand(0));
  instruction.b = operation->getNumOperands() > 1 ? slot(operation->getOperand(1)) : 0;
  instruction.code = codes->first;
  emit(instruction, operation->getResult(0));
  instruction.code = codes->second;
  emit(instruction, operation->getResult(1));
  return true;
}

llvm::Error FunctionCompiler::simple(Operation *operation, FunctionInstruction instruction) {
  auto known = simpleOperations().find(operation->getName().getStringRef());
  if (known == simpleOperations().end() || operation->getNumOperands() != known->second.operands ||
      operation->getNumResults() != 1)
    return refuse(operation, "is not supported by the interpreter");
  instruction.code = known->second.code;
  uint32_t *operands[] = {&instruction.a, &instruction.b, &instruction.c};
  for (auto [to, operand] : llvm::zip(operands, operation->getOperands()))
    *to = slot(operand);
  emit(instruction, operation->getResult(0));
  return llvm::Error::success();
}

llvm::Error FunctionCompiler::operation(Operation *operation, StringRef function) {
  if (auto call = dyn_cast<func::CallOp>(operation))
    return this->call(call);
  FunctionInstruction instruction = describe(operation, function);
  if (auto extract = dyn_cast<tensor::ExtractOp>(operation)) {
    load(extract, instruction.source);
    return llvm::Error::success();
  }
  if (auto member = dyn_cast<attn::MemberOp>(operation)) {
    this->member(member, instruction.source);
    return llvm::Error::success();
  }
  for (Type type : llvm::concat<const Type>(operation->getOperandTypes(), operation->getResultTypes()))
    if (!isNumber(type)) {
      std::string text;
      llvm::raw_string_ostream(text) << type;
      return refuse(operation, "is not supported by the interpreter for type " + text);
    }
  if (auto constant = dyn_cast<arith::ConstantOp>(operation)) {
    slotOf[constant.getResult()] = this->constant(valueOf(constant.getValue()));
    return llvm::Error::success();
  }
  if (isa<attn::RowOp, attn::ColumnOp>(operation)) {
    slotOf[operation->getResult(0)] = isa<attn::RowOp>(operation) ? FunctionProgram::Row : FunctionProgram::Column;
    return llvm::Error::success();
  }
  if (isa<arith::BitcastOp>(operation))
    return bitcast(operation, instruction);
  if (twoResults(operation, instruction))
    return llvm::Error::success();
  return simple(operation, instruction);
}

/// The operations of a function whose arguments have their slots and tensors; afterwards `path` is as before.
llvm::Error FunctionCompiler::body(func::FuncOp function) {
  if (path.size() >= MaxDepth)
    return refuse(function, "expects calls that are at most " + llvm::Twine(MaxDepth) + " deep, got a deeper one to @" +
                                function.getSymName());
  path.push_back(function);
  for (Operation &operation : function.getBody().front().without_terminator())
    if (llvm::Error error = this->operation(&operation, function.getSymName()))
      return error;
  path.pop_back();
  return llvm::Error::success();
}

llvm::Error FunctionCompiler::call(func::CallOp call) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
  for (auto [argument, operand] : llvm::zip(callee.getArguments(), call.getOperands())) {
    if (auto tensor = tensorOf.find(operand); tensor != tensorOf.end())
      tensorOf[argument] = tensor->second;
    else
      slotOf[argument] = slot(operand);
  }
  if (llvm::Error error = body(callee))
    return error;
  auto end = cast<func::ReturnOp>(callee.getBody().front().getTerminator());
  for (auto [result, value] : llvm::zip(call.getResults(), end.getOperands())) {
    if (auto tensor = tensorOf.find(value); tensor != tensorOf.end())
      tensorOf[result] = tensor->second;
    else
      slotOf[result] = slot(value);
  }
  return llvm::Error::success();
}

void FunctionCompiler::bindParameter(Value argument, const FunctionParameter &parameter) {
  if (auto *number = std::get_if<Slot>(&parameter))
    return bind(argument, *number);
  tensorOf[argument] = program.tensors.size();
  program.tensors.push_back(std::get<FunctionProgram::BoundTensor>(parameter));
}

llvm::Error FunctionCompiler::function(func::FuncOp function, bool takesScore, ArrayRef<FunctionParameter> parameters) {
  unsigned coordinates = takesScore ? 5 : 4, first = takesScore ? FunctionProgram::Score : FunctionProgram::Batch;
  for (unsigned n = 0; n < coordinates; ++n)
    slotOf[function.getArgument(n)] = first + n;
  for (auto [argument, parameter] : llvm::zip(function.getArguments().drop_front(coordinates), parameters))
    bindParameter(argument, parameter);
  if (llvm::Error error = body(function))
    return error;
  program.result = slot(function.getBody().front().getTerminator()->getOperand(0));
  return llvm::Error::success();
}

llvm::Expected<FunctionProgram> compileFunction(func::FuncOp function, bool takesScore,
                                                ArrayRef<FunctionParameter> parameters) {
  FunctionCompiler compiler;
  if (llvm::Error error = compiler.function(function, takesScore, parameters))
    return error;
  return compiler.take();
}

llvm::Expected<std::vector<Slot>> evaluateScalars(Operation *operation, Arithmetic arithmetic,
                                                  llvm::function_ref<Slot(Value)> operand) {
  FunctionCompiler compiler;
  for (Value value : operation->getOperands())
    compiler.bind(value, operand(value));
  auto kernel = operation->getParentOfType<SymbolOpInterface>();
  if (llvm::Error error = compiler.operation(operation, kernel ? kernel.getName() : ""))
    return error;
  std::vector<uint32_t> results;
  for (Value value : operation->getResults())
    results.push_back(compiler.slot(value));
  FunctionProgram program = compiler.take();
  std::vector<Slot> frame = program.frame(), values;
  FunctionFailure failure;
  bool fine = arithmetic == Arithmetic::Exact ? program.run<Arithmetic::Exact>(frame.data(), failure)
                                              : program.run<Arithmetic::Own>(frame.data(), failure);
  if (!fine)
    return llvm::createStringError(program.describe(failure));
  for (uint32_t result : results)
    values.push_back(frame[result]);
  return values;
}

} // namespace attn
