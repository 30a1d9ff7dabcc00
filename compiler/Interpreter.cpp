// SPDX-License-Identifier: Apache-2.0
// Walks the lines of a kernel and hands the formula what they say.
#include "compiler/Interpreter.h"
#include "compiler/InterpretArguments.h"

#include "dialect/Attn.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace attn {
namespace {

class KernelInterpreter {
public:
  KernelInterpreter(KernelOp kernel, BoundArguments arguments, const InterpretOptions &options)
      : kernel(kernel), bound(std::move(arguments)), options(options) {}

  llvm::Expected<Interpretation> run();

private:
  /// What is known of a value of type !attn.probs beside its scores.
  struct Weights {
    AttentionFormula attention;
    SoftmaxOp line;
  };
  using SequencePointer = std::shared_ptr<const Sequence>;

  llvm::Error refuse(Operation *operation, const llvm::Twine &why) {
    return llvm::createStringError(placeOf(operation) + "'" + operation->getName().getStringRef() + "' op " + why);
  }
  llvm::Error line(Operation *operation);
  llvm::Error line(DenseOp op);
  llvm::Error line(ScoresOp op);
  llvm::Error line(SoftmaxOp op);
  llvm::Error line(OutputOp op);
  llvm::Error arithmetic(Operation *operation);
  llvm::Error change(Operation *operation, Value scores, FlatSymbolRefAttr by, OperandRange parameters);
  llvm::Error evaluate(Operation *operation, const Weights &weights, SequencePointer values, Value output);
  llvm::Error checkRows(Operation *operation, const Sequence &query);
  llvm::Expected<HostTensor> tensorOf(Operation *user, Value value);
  llvm::Expected<SequencePointer> sequenceOf(Operation *user, Value value);

  KernelOp kernel;
  BoundArguments bound; ///< grows by what the lines compute
  const InterpretOptions &options;
  llvm::DenseMap<Value, SequencePointer> sequences;
  llvm::DenseMap<Value, AttentionFormula> scores;
  llvm::DenseMap<Value, Weights> weights;
  llvm::DenseMap<Value, HostResult> results;
};

llvm::Expected<HostTensor> KernelInterpreter::tensorOf(Operation *user, Value value) {
  auto found = bound.tensors.find(value);
  if (found == bound.tensors.end())
    return refuse(user, "is supported by the interpreter on arguments of the kernel only");
  return found->second.tensor;
}

/// A plain tensor of rank 4 is the dense sequence of full length.
llvm::Expected<KernelInterpreter::SequencePointer> KernelInterpreter::sequenceOf(Operation *user, Value value) {
  if (auto found = sequences.find(value); found != sequences.end())
    return found->second;
  llvm::Expected<HostTensor> tensor = tensorOf(user, value);
  if (!tensor)
    return tensor.takeError();
  return sequences[value] = std::make_shared<DenseSequence>(*tensor, *tensor, std::nullopt);
}

llvm::Error KernelInterpreter::line(DenseOp op) {
  llvm::Expected<HostTensor> keys = tensorOf(op, op.getTensors().front());
  if (!keys)
    return keys.takeError();
  llvm::Expected<HostTensor> values = tensorOf(op, op.getTensors().back());
  if (!values)
    return values.takeError();
  std::optional<HostTensor> lens;
  if (op.getLens()) {
    llvm::Expected<HostTensor> given = tensorOf(op, op.getLens());
    if (!given)
      return given.takeError();
    lens = *given;
  }
  sequences[op.getSeq()] = std::make_shared<DenseSequence>(*keys, *values, lens);
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::checkRows(Operation *operation, const Sequence &query) {
  for (int64_t row : options.rows.value_or(std::vector<int64_t>()))
    if (row < 0 || row >= query.rowShape().back())
      return refuse(operation,
                    "expects query rows below " + llvm::Twine(query.rowShape().back()) + ", got " + llvm::Twine(row));
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(ScoresOp op) {
  llvm::Expected<SequencePointer> query = sequenceOf(op, op.getQuery());
  if (!query)
    return query.takeError();
  llvm::Expected<SequencePointer> keys = sequenceOf(op, op.getKeys());
  if (!keys)
    return keys.takeError();
  if (llvm::Error error = checkRows(op, **query))
    return error;
  AttentionFormula &attention = scores[op.getScores()];
  attention.query = *query;
  attention.keys = *keys;
  attention.alignStart = op.getAlign() == Align::Start;
  attention.scale =
      op.getScale() ? bound.scalars.lookup(op.getScale()).f : 1 / std::sqrt(static_cast<double>((*keys)->keySize()));
  return llvm::Error::success();
}

/// A line that asks a function about every score.
llvm::Error KernelInterpreter::change(Operation *operation, Value from, FlatSymbolRefAttr by, OperandRange parameters) {
  auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(operation, by);
  SmallVector<FunctionParameter> values;
  for (Value parameter : parameters) {
    if (auto tensor = bound.tensors.find(parameter); tensor != bound.tensors.end())
      values.push_back(tensor->second);
    else
      values.push_back(bound.scalars.at(parameter));
  }
  bool modifies = isa<ModifyOp>(operation);
  llvm::Expected<FunctionProgram> program = compileFunction(function, modifies, values);
  if (!program)
    return program.takeError();
  AttentionFormula attention = scores.lookup(from);
  (modifies ? attention.modifications : attention.masks)
      .push_back(std::make_shared<FunctionProgram>(std::move(*program)));
  scores[operation->getResult(0)] = std::move(attention);
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(SoftmaxOp op) {
  Weights line{scores.lookup(op.getScores()), op};
  if (op.getSink()) {
    llvm::Expected<HostTensor> sink = tensorOf(op, op.getSink());
    if (!sink)
      return sink.takeError();
    line.attention.sink = *sink;
  }
  weights[op.getProbs()] = std::move(line);
  return llvm::Error::success();
}

HostResult emptyResult(DType type, std::vector<int64_t> shape) {
  int64_t count = llvm::is_contained(shape, 0) ? 0 : 1;
  for (int64_t size : shape)
    count *= count ? size : 0;
  return {type, std::move(shape), std::vector<double>(count, std::numeric_limits<double>::quiet_NaN())};
}

/// Computes an output, and with it the lse of its softmax where that has one; without `values`, the lse alone.
llvm::Error KernelInterpreter::evaluate(Operation *operation, const Weights &weights, SequencePointer values,
                                        Value output) {
  const Sequence &query = *weights.attention.query;
  std::vector<int64_t> shape = query.rowShape();
  shape.push_back(query.heads());
  AttentionResults wanted;
  HostResult lse, weighted;
  SoftmaxOp softmax = weights.line;
  if (softmax.getLse() && !results.contains(softmax.getLse())) {
    lse = emptyResult(DType::F32, shape);
    wanted.lse = &lse;
  }
  if (values) {
    auto type = cast<RankedTensorType>(output.getType());
    shape.push_back(type.getRank() && !type.isDynamicDim(type.getRank() - 1) ? type.getShape().back()
                                                                             : values->valueSize());
    std::optional<DType> element = elementTypeOf(type.getElementType());
    if (!element) {
      std::string text;
      llvm::raw_string_ostream(text) << type.getElementType();
      return refuse(operation, "is not supported by the interpreter for elements of " + text);
    }
    weighted = emptyResult(*element, shape);
    wanted.values = values.get();
    wanted.output = &weighted;
  }
  Precision precision = options.kernelPrecision ? Precision::Kernel : Precision::Exact;
  if (std::optional<std::string> fault = computeAttention(weights.attention, precision, options.rows, wanted))
    return llvm::createStringError(*fault);
  if (wanted.lse)
    results[softmax.getLse()] = std::move(lse);
  if (values)
    results[output] = std::move(weighted);
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(OutputOp op) {
  llvm::Expected<SequencePointer> values = sequenceOf(op, op.getValues());
  if (!values)
    return values.takeError();
  return evaluate(op, weights.lookup(op.getProbs()), *values, op.getOutput());
}

llvm::Error KernelInterpreter::arithmetic(Operation *operation) {
  auto operand = [&](Value value) { return bound.scalars.lookup(value); };
  llvm::Expected<std::vector<Slot>> values =
      evaluateScalars(operation, options.kernelPrecision ? Arithmetic::Own : Arithmetic::Exact, operand);
  if (!values)
    return values.takeError();
  for (auto [result, value] : llvm::zip(operation->getResults(), *values))
    bound.scalars[result] = value;
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(Operation *operation) {
  return llvm::TypeSwitch<Operation *, llvm::Error>(operation)
      .Case<DenseOp, ScoresOp, SoftmaxOp, OutputOp>([&](auto op) { return line(op); })
      .Case<ModifyOp, MaskOp>([&](auto op) { return change(op, op.getInput(), op.getByAttr(), op.getParams()); })
      .Default([&](Operation *other) {
        if (other->getName().getDialectNamespace() == AttnDialect::getDialectNamespace())
          return refuse(other, "is not supported by the interpreter");
        return arithmetic(other);
      });
}

llvm::Expected<Interpretation> KernelInterpreter::run() {
  Block &body = kernel.getBody().front();
  for (Operation &operation : body.without_terminator())
    if (llvm::Error error = line(&operation))
      return error;
  Interpretation named;
  Operation *end = body.getTerminator();
  for (auto [index, value] : llvm::enumerate(end->getOperands())) {
    // An lse that is returned without its output was computed by no line.
    if (auto softmax = value.getDefiningOp<SoftmaxOp>(); softmax && !results.contains(value))
      if (llvm::Error error = evaluate(softmax, weights.lookup(softmax.getProbs()), nullptr, {}))
        return error;
    named[kernel.resultName(index).str()] = results.at(value);
  }
  return named;
}

} // namespace

llvm::Expected<KernelOp> findKernel(ModuleOp module, StringRef name) {
  SmallVector<KernelOp> kernels(module.getOps<KernelOp>());
  if (name.empty() && kernels.size() == 1)
    return kernels.front();
  std::string names;
  for (KernelOp kernel : kernels) {
    if (kernel.getSymName() == name)
      return kernel;
    names += (names.empty() ? "@" : ", @") + kernel.getSymName().str();
  }
  return llvm::createStringError(name.empty() ? "expects the name of one of the kernels " + names
                                              : "expects a kernel @" + name + ", got a file with " + names);
}

llvm::Expected<Interpretation> interpret(ModuleOp module, StringRef name,
                                         const std::map<std::string, HostTensor> &tensors,
                                         const std::map<std::string, HostScalar> &scalars,
                                         const InterpretOptions &options) {
  llvm::Expected<KernelOp> kernel = findKernel(module, name);
  if (!kernel)
    return kernel.takeError();
  llvm::Expected<BoundArguments> bound = bindArguments(*kernel, tensors, scalars);
  if (!bound)
    return bound.takeError();
  return KernelInterpreter(*kernel, std::move(*bound), options).run();
}

} // namespace attn
