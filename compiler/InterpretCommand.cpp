// SPDX-License-Identifier: Apache-2.0
// The command line of the interpreter: options to tensors, results to files.
#include "compiler/InterpretCommand.h"
#include "compiler/InterpretArguments.h"

#include "dialect/Attn.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "runtime/Error.h"
#include "runtime/Npy.h"
#include "llvm/ADT/StringExtras.h"

#include <set>

using namespace mlir;

namespace attn {
namespace {

class Command {
public:
  Command(ModuleOp module, const InterpretCommandOptions &options) : module(module), options(options) {}

  /// Every sentence about what is wrong; empty when the files are written.
  std::vector<std::string> run();

private:
  using Files = InterpretCommandOptions::Named;

  void fault(const llvm::Twine &sentence) { faults.push_back(sentence.str()); }
  void readInputs();
  void readScalars();
  void readRows();
  void checkResults(StringRef option, const Files &files);
  void evaluate(bool kernelPrecision, const Files &files);
  void write(const HostResult &result, DType type, const std::string &path);

  ModuleOp module;
  const InterpretCommandOptions &options;
  KernelOp kernel;
  std::map<std::string, Array> arrays; ///< own the bytes of `tensors`
  std::map<std::string, HostTensor> tensors;
  std::map<std::string, HostScalar> scalars;
  std::optional<std::vector<int64_t>> rows;
  std::set<std::string> unread; ///< arguments whose file or number is a fault already
  std::vector<std::string> faults;
};

/// The element type that the kernel gives an argument; nothing for one it does not have.
std::optional<DType> wantedType(KernelOp kernel, StringRef name) {
  for (unsigned index = 0; kernel && index < kernel.getNumArguments(); ++index)
    if (kernel.argName(index) == name)
      if (auto type = dyn_cast<RankedTensorType>(kernel.getArgumentTypes()[index]))
        return elementTypeOf(type.getElementType());
  return std::nullopt;
}

HostTensor contiguous(const Array &array) {
  HostTensor tensor{array.type, array.shape, std::vector<int64_t>(array.shape.size()), array.bytes.data()};
  // A shape with a 0 may have any other sizes: only strides between elements that are there can be represented.
  int64_t stride = array.count() ? 1 : 0;
  for (size_t d = array.shape.size(); d-- > 0; stride *= stride ? array.shape[d] : 0)
    tensor.strides[d] = stride;
  return tensor;
}

void Command::readInputs() {
  for (const auto &[name, path] : options.inputs) {
    try {
      Array array = readNpy(path);
      std::optional<DType> wanted = wantedType(kernel, name);
      if (array.type == DType::F32 && (wanted == DType::F16 || wanted == DType::BF16))
        array = converted(array, *wanted);
      tensors[name] = contiguous(arrays[name] = std::move(array));
    } catch (const Error &error) {
      unread.insert(name);
      faults.insert(faults.end(), error.faults().begin(), error.faults().end());
    }
  }
}

void Command::readScalars() {
  for (const auto &[name, text] : options.scalars) {
    int64_t whole;
    double real;
    if (!StringRef(text).getAsInteger(10, whole))
      scalars[name] = whole;
    else if (!StringRef(text).getAsDouble(real))
      scalars[name] = real;
    else {
      unread.insert(name);
      fault("--scalar expects a number for '" + name + "', got '" + text + "'");
    }
  }
}

void Command::readRows() {
  if (options.rows.empty())
    return;
  SmallVector<StringRef> numbers;
  StringRef(options.rows).split(numbers, ',');
  rows.emplace();
  for (StringRef text : numbers) {
    int64_t row;
    if (text.getAsInteger(10, row) || row < 0)
      return fault("--rows expects query rows from 0 with commas between, got '" + options.rows + "'");
    rows->push_back(row);
  }
}

void Command::checkResults(StringRef option, const Files &files) {
  if (!kernel)
    return;
  std::vector<std::string> known = namesOfResults(kernel);
  std::string all;
  for (const std::string &name : known)
    all += (all.empty() ? "'" : ", '") + name + "'";
  for (const auto &[name, path] : files)
    if (!llvm::is_contained(known, name))
      fault("--" + option + ": '" + name + "' is no result of @" + kernel.getSymName() + ", which has " + all);
}

void Command::write(const HostResult &result, DType type, const std::string &path) {
  Array array = makeArray(type, result.shape);
  for (size_t index = 0; index < result.values.size(); ++index)
    array.set(static_cast<int64_t>(index), result.values[index]);
  try {
    writeNpy(path, array);
  } catch (const Error &error) {
    faults.insert(faults.end(), error.faults().begin(), error.faults().end());
  }
}

void Command::evaluate(bool kernelPrecision, const Files &files) {
  if (files.empty())
    return;
  llvm::Expected<Interpretation> results = interpret(module, options.kernel, tensors, scalars, {kernelPrecision, rows});
  if (!results)
    return fault(llvm::toString(results.takeError()));
  for (const auto &[name, path] : files) {
    const HostResult &result = results->at(name);
    DType precision = kernelPrecision && result.type != DType::F64 ? DType::F32 : DType::F64;
    write(result, isFloat(result.type) ? precision : result.type, path);
  }
}

std::vector<std::string> Command::run() {
  llvm::Expected<KernelOp> found = findKernel(module, options.kernel);
  if (found)
    kernel = *found;
  else
    fault(llvm::toString(found.takeError()));
  readInputs();
  readScalars();
  readRows();
  checkResults("output", options.outputs);
  checkResults("kernel-output", options.kernelOutputs);
  if (options.outputs.empty() && options.kernelOutputs.empty())
    fault("expects --output NAME=FILE.npy: as called this computes nothing");
  // What is wrong with the arguments themselves is said beside what is wrong with the options, once.
  if (kernel && !faults.empty()) {
    if (llvm::Expected<BoundArguments> bound = bindArguments(kernel, tensors, scalars, unread); !bound)
      fault(llvm::toString(bound.takeError()));
    return faults;
  }
  if (faults.empty())
    evaluate(false, options.outputs);
  if (faults.empty())
    evaluate(true, options.kernelOutputs);
  return faults;
}

} // namespace

int runInterpretCommand(ModuleOp module, const InterpretCommandOptions &options, llvm::raw_ostream &messages) {
  std::vector<std::string> faults = Command(module, options).run();
  for (StringRef fault : faults) {
    SmallVector<StringRef> lines;
    fault.split(lines, '\n');
    for (StringRef line : lines)
      messages << "attnc: error: " << line << "\n";
  }
  return faults.empty() ? 0 : 1;
}

} // namespace attn
