// SPDX-License-Identifier: Apache-2.0
// Walks the lines of a kernel and hands the formula what they say.
#include "compiler/Interpreter.h"
#include "compiler/CacheAppend.h"
#include "compiler/InterpretArguments.h"
#include "compiler/MergeFormula.h"
#include "compiler/SelectFormula.h"
#include "compiler/SequenceLines.h"

#include "dialect/AttnNames.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/SymbolTable.h"
#include "passes/DataFacts.h"
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
      : kernel(kernel), bound(std::move(arguments)), options(options),
        sequences(kernel, [this](Operation *user, Value value) { return tensorOf(user, value); }) {}

  llvm::Expected<Interpretation> run();

private:
  /// What is known of a value of type !attn.probs beside its scores.
  struct Weights {
    AttentionFormula attention;
    SoftmaxOp line;
  };

  llvm::Error refuse(Operation *operation, const llvm::Twine &why) {
    return llvm::createStringError(placeOf(operation) + "'" + operation->getName().getStringRef() + "' op " + why);
  }
  llvm::Error line(Operation *operation);
  llvm::Error line(ScoresOp op);
  llvm::Error line(SoftmaxOp op);
  llvm::Error line(OutputOp op);
  llvm::Error line(MergeOp op);
  llvm::Error line(AppendOp op);
  llvm::Error line(ReweightOp op);
  llvm::Error line(SumsOp op);
  llvm::Error line(SelectOp op);
  llvm::Error arithmetic(Operation *operation);
  llvm::Expected<std::shared_ptr<FunctionProgram>> functionOf(Operation *operation, FlatSymbolRefAttr by,
                                                              OperandRange parameters, bool takesScore);
  llvm::Error change(Operation *operation, Value scores, FlatSymbolRefAttr by, OperandRange parameters);
  llvm::Error evaluate(Operation *operation, const Weights &weights, SequencePointer values, Value output);
  llvm::Error checkRows(Operation *operation, const Sequence &query);
  llvm::Expected<HostTensor> tensorOf(Operation *user, Value value);
  llvm::Expected<HostResult> emptyResult(Operation *operation, Type element, std::vector<int64_t> shape);
  std::optional<int64_t> sizeOf(Value result, unsigned dimension);
  void ownCaches();
  Precision precision() const { return options.kernelPrecision ? Precision::Kernel : Precision::Exact; }

  KernelOp kernel;
  BoundArguments bound; ///< grows by what the lines compute
  const InterpretOptions &options;
  SequenceLines sequences;
  llvm::DenseMap<Value, AttentionFormula> scores;
  llvm::DenseMap<Value, Weights> weights;
  llvm::DenseMap<Value, HostResult> results;
  std::map<std::string, OwnedTensor> caches; ///< arguments that lines append to, by name
};

llvm::Expected<HostTensor> KernelInterpreter::tensorOf(Operation *user, Value value) {
  if (auto result = results.find(value); result != results.end()) {
    const HostResult &computed = result->second;
    HostTensor tensor{DType::F64, computed.shape, std::vector<int64_t>(computed.shape.size()),
                      reinterpret_cast<const std::byte *>(computed.values.data())};
    int64_t stride = computed.values.empty() ? 0 : 1;
    for (size_t d = computed.shape.size(); d-- > 0; stride *= computed.shape[d])
      tensor.strides[d] = stride;
    return tensor;
  }
  auto found = bound.tensors.find(value);
  if (found == bound.tensors.end())
    return refuse(user, "expects arguments of the kernel, or results of lines before");
  return found->second.tensor;
}

/// Arguments that are appended to are copied before any line reads them, so that all lines see what is written.
void KernelInterpreter::ownCaches() {
  for (auto append : kernel.getBody().front().getOps<AppendOp>())
    for (Value tensor : append.getCache().getDefiningOp()->getOperands()) {
      auto found = bound.tensors.find(tensor);
      if (found == bound.tensors.end() || !isa<FloatType>(cast<RankedTensorType>(tensor.getType()).getElementType()))
        continue;
      FunctionProgram::BoundTensor &argument = found->second;
      argument.tensor = caches.try_emplace(argument.name, argument.tensor).first->second.view();
    }
}

llvm::Error KernelInterpreter::checkRows(Operation *operation, const Sequence &query) {
  for (int64_t row : options.rows.value_or(std::vector<int64_t>()))
    if (row < 0 || row >= query.rowShape().back())
      return refuse(operation,
                    "expects query rows below " + llvm::Twine(query.rowShape().back()) + ", got " + llvm::Twine(row));
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(ScoresOp op) {
  llvm::Expected<SequencePointer> query = sequences.of(op, op.getQuery());
  if (!query)
    return query.takeError();
  llvm::Expected<SequencePointer> keys = sequences.of(op, op.getKeys());
  if (!keys)
    return keys.takeError();
  if (llvm::Error error =
          sequences.checkBatch(op, "query and keys with the same batch", (*query)->batch(), (*keys)->batch()))
    return error;
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

/// A function as a line names it, with what it is given.
llvm::Expected<std::shared_ptr<FunctionProgram>>
KernelInterpreter::functionOf(Operation *operation, FlatSymbolRefAttr by, OperandRange parameters, bool takesScore) {
  auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(operation, by);
  SmallVector<FunctionParameter> values;
  for (Value parameter : parameters) {
    if (auto tensor = bound.tensors.find(parameter); tensor != bound.tensors.end())
      values.push_back(tensor->second);
    else if (auto scalar = bound.scalars.find(parameter); scalar != bound.scalars.end())
      values.push_back(scalar->second);
    else
      return refuse(operation, "is not supported by the interpreter with the result of a line as a parameter");
  }
  llvm::Expected<FunctionProgram> program = compileFunction(function, takesScore, values);
  if (!program)
    return program.takeError();
  return std::make_shared<FunctionProgram>(std::move(*program));
}

/// A line that asks a function about every score.
llvm::Error KernelInterpreter::change(Operation *operation, Value from, FlatSymbolRefAttr by, OperandRange parameters) {
  bool modifies = isa<ModifyOp>(operation);
  llvm::Expected<std::shared_ptr<FunctionProgram>> program = functionOf(operation, by, parameters, modifies);
  if (!program)
    return program.takeError();
  AttentionFormula attention = scores.lookup(from);
  (modifies ? attention.modifications : attention.masks).push_back(std::move(*program));
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
  // An lse without an output is computed here, so that it is that of the caches as they are now.
  if (op.getLse() && op.getProbs().use_empty())
    return evaluate(op, line, nullptr, {});
  weights[op.getProbs()] = std::move(line);
  return llvm::Error::success();
}

/// All NaN, to be filled.
llvm::Expected<HostResult> KernelInterpreter::emptyResult(Operation *operation, Type element,
                                                          std::vector<int64_t> shape) {
  std::optional<DType> type = elementTypeOf(element);
  if (!type) {
    std::string text;
    llvm::raw_string_ostream(text) << element;
    return refuse(operation, "is not supported by the interpreter for elements of " + text);
  }
  int64_t count = llvm::is_contained(shape, 0) ? 0 : 1;
  for (int64_t size : shape)
    count *= count ? size : 0;
  return HostResult{*type, std::move(shape), std::vector<double>(count, std::numeric_limits<double>::quiet_NaN())};
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
    llvm::Expected<HostResult> made = emptyResult(operation, Float32Type::get(kernel.getContext()), shape);
    if (!made)
      return made.takeError();
    lse = std::move(*made);
    wanted.lse = &lse;
  }
  if (values) {
    auto type = cast<RankedTensorType>(output.getType());
    shape.push_back(type.getRank() && !type.isDynamicDim(type.getRank() - 1) ? type.getShape().back()
                                                                             : values->valueSize());
    llvm::Expected<HostResult> made = emptyResult(operation, type.getElementType(), shape);
    if (!made)
      return made.takeError();
    weighted = std::move(*made);
    wanted.values = values.get();
    wanted.output = &weighted;
  }
  if (std::optional<std::string> fault = computeAttention(weights.attention, precision(), options.rows, wanted))
    return llvm::createStringError(*fault);
  if (wanted.lse)
    results[softmax.getLse()] = std::move(lse);
  if (values)
    results[output] = std::move(weighted);
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(OutputOp op) {
  llvm::Expected<SequencePointer> values = sequences.of(op, op.getValues());
  if (!values)
    return values.takeError();
  return evaluate(op, weights.lookup(op.getProbs()), *values, op.getOutput());
}

llvm::Error KernelInterpreter::line(ReweightOp op) {
  llvm::Expected<std::shared_ptr<FunctionProgram>> program = functionOf(op, op.getByAttr(), op.getParams(), true);
  if (!program)
    return program.takeError();
  Weights line = weights.lookup(op.getInput());
  line.attention.reweights.push_back(std::move(*program));
  weights[op.getResult()] = std::move(line);
  return llvm::Error::success();
}

/// The size that a type gives, or an argument with a dimension of the same name; nothing where neither says it.
std::optional<int64_t> KernelInterpreter::sizeOf(Value result, unsigned dimension) {
  auto type = cast<RankedTensorType>(result.getType());
  if (!type.isDynamicDim(dimension))
    return type.getDimSize(dimension);
  auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  if (!dims)
    return std::nullopt;
  for (const NamedValue &argument : argumentsOf(kernel))
    for (auto [d, named] : llvm::enumerate(argument.dimensions))
      if (named.name == dims.getNames()[dimension].getValue())
        for (const auto &[value, tensor] : bound.tensors)
          if (tensor.name == argument.name)
            return tensor.tensor.shape[d];
  return std::nullopt;
}

/// Whatever rows are asked for, all of them are added up.
llvm::Error KernelInterpreter::line(SumsOp op) {
  Weights line = weights.lookup(op.getProbs());
  if (SoftmaxOp softmax = line.line; softmax.getLse() && !results.contains(softmax.getLse()))
    if (llvm::Error error = evaluate(op, line, nullptr, {}))
      return error;
  const Sequence &query = *line.attention.query, &keys = *line.attention.keys;
  int64_t entries = 0;
  for (int64_t b = 0; b < keys.batch(); ++b)
    entries = std::max(entries, keys.length(b));
  if (std::vector<int64_t> rows = keys.rowShape(); rows.size() == 2)
    entries = rows.back();
  WeightSums sums;
  sums.perDistance = op.getPer() == Per::Distance;
  if (op.getByAttr()) {
    llvm::Expected<std::shared_ptr<FunctionProgram>> which = functionOf(op, op.getByAttr(), op.getParams(), false);
    if (!which)
      return which.takeError();
    sums.which = std::move(*which);
  }
  llvm::Expected<HostResult> made = emptyResult(
      op, Float32Type::get(op.getContext()), {query.batch(), query.heads(), sizeOf(op.getSums(), 2).value_or(entries)});
  if (!made)
    return made.takeError();
  sums.result = std::move(*made);
  llvm::fill(sums.result.values, 0);
  AttentionResults wanted;
  wanted.sums = &sums;
  if (std::optional<std::string> fault = computeAttention(line.attention, precision(), std::nullopt, wanted))
    return llvm::createStringError(*fault);
  results[op.getSums()] = std::move(sums.result);
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(SelectOp op) {
  llvm::Expected<HostTensor> sums = tensorOf(op, op.getSums());
  if (!sums)
    return sums.takeError();
  Selection selection;
  if (op.getTop())
    selection.top = bound.scalars.lookup(op.getTop()).i;
  if (op.getCover())
    selection.cover = bound.scalars.lookup(op.getCover()).f;
  if (op.getBelow()) {
    // No line computes integers of rank 1.
    selection.below = bound.tensors.at(op.getBelow()).tensor;
  }
  std::vector<int64_t> shape(sums->shape.begin(), sums->shape.end() - 1);
  llvm::Expected<HostResult> count =
      emptyResult(op, cast<RankedTensorType>(op.getCount().getType()).getElementType(), shape);
  shape.push_back(sizeOf(op.getList(), 2).value_or(sums->shape.back()));
  llvm::Expected<HostResult> list =
      emptyResult(op, cast<RankedTensorType>(op.getList().getType()).getElementType(), shape);
  if (!count || !list)
    return llvm::joinErrors(count.takeError(), list.takeError());
  selectEntries(*sums, selection, *list, *count);
  results[op.getList()] = std::move(*list);
  results[op.getCount()] = std::move(*count);
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(MergeOp op) {
  auto type = cast<RankedTensorType>(op.getOutput().getType());
  std::vector<PartialResult> parts;
  std::vector<int64_t> shape;
  for (auto [given, stats] : llvm::zip(op.getOutputs(), op.getLses())) {
    llvm::Expected<HostTensor> output = tensorOf(op, given);
    if (!output)
      return output.takeError();
    llvm::Expected<HostTensor> lse = tensorOf(op, stats);
    if (!lse)
      return lse.takeError();
    shape.assign(output->shape.end() - type.getRank(), output->shape.end());
    llvm::append_range(parts, partsOf(*output, *lse, type.getRank()));
  }
  std::optional<HostTensor> sink;
  if (op.getSink()) {
    llvm::Expected<HostTensor> given = tensorOf(op, op.getSink());
    if (!given)
      return given.takeError();
    sink = *given;
  }
  llvm::Expected<HostResult> output = emptyResult(op, type.getElementType(), shape);
  if (!output)
    return output.takeError();
  shape.pop_back();
  llvm::Expected<HostResult> lse = emptyResult(op, Float32Type::get(op.getContext()), shape);
  if (!lse)
    return lse.takeError();
  computeMerge(parts, sink, precision(), options.rows, *output, &*lse);
  results[op.getOutput()] = std::move(*output);
  if (op.getLse())
    results[op.getLse()] = std::move(*lse);
  return llvm::Error::success();
}

llvm::Error KernelInterpreter::line(AppendOp op) {
  llvm::Expected<SequencePointer> source = sequences.of(op, op.getSource());
  if (!source)
    return source.takeError();
  llvm::Expected<SequencePointer> cache = sequences.of(op, op.getCache());
  if (!cache)
    return cache.takeError();
  if (llvm::Error error = sequences.checkBatch(op, "new entries and a cache with the same batch", (*source)->batch(),
                                               (*cache)->batch()))
    return error;
  appendEntries(**source, **cache, factsOf(op.getCache()).numTensors == 2);
  return llvm::Error::success();
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
      .Case<DenseOp, RaggedOp, PagesOp, ShareOp, ConcatOp, AtOp>([&](auto op) { return sequences.add(op); })
      .Case<ScoresOp, SoftmaxOp, ReweightOp, OutputOp, SumsOp, SelectOp, MergeOp, AppendOp>(
          [&](auto op) { return line(op); })
      .Case<ModifyOp, MaskOp>([&](auto op) { return change(op, op.getInput(), op.getByAttr(), op.getParams()); })
      .Default([&](Operation *other) {
        if (other->getName().getDialectNamespace() == AttnDialect::getDialectNamespace())
          return refuse(other, "is not supported by the interpreter");
        return arithmetic(other);
      });
}

llvm::Expected<Interpretation> KernelInterpreter::run() {
  Block &body = kernel.getBody().front();
  ownCaches();
  for (Operation &operation : body.without_terminator())
    if (llvm::Error error = line(&operation))
      return error;
  Interpretation named;
  for (auto [index, value] : llvm::enumerate(body.getTerminator()->getOperands()))
    named[kernel.resultName(index).str()] = results.at(value);
  for (const auto &[name, cache] : caches)
    named.try_emplace(name, HostResult{cache.type(), cache.shape(), cache.values()});
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

std::vector<std::string> namesOfResults(KernelOp kernel) {
  std::vector<std::string> names;
  for (unsigned index = 0; index < kernel.getNumResults(); ++index)
    names.push_back(kernel.resultName(index).str());
  for (StringRef name : appendedArguments(kernel))
    if (!llvm::is_contained(names, name))
      names.push_back(name.str());
  return names;
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
