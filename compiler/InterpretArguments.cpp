// SPDX-License-Identifier: Apache-2.0
// The checks of the interpreter's arguments, in the words that a launch uses.
#include "compiler/InterpretArguments.h"

#include "dialect/AttnNames.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace attn {

std::optional<DType> elementTypeOf(Type type) {
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  if (type.isIndex())
    return DType::Index;
  if (type.isInteger(1))
    return DType::Bool;
  if (type.isInteger(8))
    return DType::I8;
  if (type.isInteger(32))
    return DType::I32;
  if (type.isInteger(64))
    return DType::I64;
  return std::nullopt;
}

namespace {

class Binder {
public:
  Binder(KernelOp kernel, const std::map<std::string, HostTensor> &tensors,
         const std::map<std::string, HostScalar> &scalars, const std::set<std::string> &unread)
      : kernel(kernel), tensors(tensors), scalars(scalars), unread(unread), arguments(argumentsOf(kernel)) {}

  llvm::Expected<BoundArguments> bind() {
    for (unsigned index = 0; index < kernel.getNumArguments(); ++index)
      bindArgument(index);
    refuseUnknown();
    if (!faults.empty())
      return llvm::createStringError(llvm::join(faults, "\n"));
    return std::move(bound);
  }

private:
  void fault(const llvm::Twine &sentence) { faults.push_back(sentence.str()); }

  void bindArgument(unsigned index) {
    std::string name = kernel.argName(index).str();
    if (unread.count(name))
      return;
    Value argument = kernel.getArgument(index);
    auto tensor = tensors.find(name);
    auto scalar = scalars.find(name);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (type && scalar != scalars.end())
      return fault("argument '" + name + "' expects a tensor, got a number");
    if (!type && tensor != tensors.end())
      return fault("argument '" + name + "' expects a number, got a tensor");
    if (type ? tensor == tensors.end() : scalar == scalars.end())
      return fault("argument '" + name + "' is missing: expects a " + (type ? "tensor" : "number"));
    if (!type)
      return bindScalar(argument, name, scalar->second);
    if (checkTensor(index, type, tensor->second))
      bound.tensors[argument] = {name, tensor->second};
  }

  void bindScalar(Value argument, StringRef name, const HostScalar &given) {
    std::optional<DType> type = elementTypeOf(argument.getType());
    Slot value{0};
    if (type == DType::F32) {
      double number = std::holds_alternative<double>(given) ? std::get<double>(given)
                                                            : static_cast<double>(std::get<int64_t>(given));
      value.f = static_cast<float>(number);
    } else if (type == DType::I32 || type == DType::Index) {
      auto *number = std::get_if<int64_t>(&given);
      if (!number)
        return fault("argument '" + name + "' expects a whole number, got " +
                     llvm::formatv("{0}", std::get<double>(given)).str());
      if (type == DType::I32 && *number != static_cast<int32_t>(*number))
        return fault("argument '" + name + "' expects an i32, got " + llvm::Twine(*number));
      value.i = *number;
    } else {
      return fault("argument '" + name + "' expects to be f32, i32 or index: other numbers are no arguments");
    }
    bound.scalars[argument] = value;
  }

  /// Returns whether the element type and rank fit; sizes that do not are faults too.
  bool checkTensor(unsigned index, RankedTensorType type, const HostTensor &given) {
    std::string name = kernel.argName(index).str();
    std::optional<DType> element = elementTypeOf(type.getElementType());
    if (element != given.type) {
      fault("argument '" + name + "' expects elements of " + (element ? StringRef(nameOf(*element)) : "another type") +
            ", got " + StringRef(nameOf(given.type)));
      return false;
    }
    if (given.rank() != type.getRank()) {
      fault("argument '" + name + "' expects " + llvm::Twine(type.getRank()) + " dimensions, got " +
            llvm::Twine(given.rank()));
      return false;
    }
    for (auto [d, dimension] : llvm::enumerate(arguments[index].dimensions))
      checkDimension(name, dimension.name, d, dimension.isDynamic() ? -1 : dimension.size, given.shape[d]);
    return true;
  }

  void checkDimension(StringRef argument, StringRef dimension, int64_t d, int64_t expected, int64_t size) {
    std::string what = dimension.empty() ? "in dimension " + std::to_string(d) : dimension.str();
    if (expected >= 0 && size != expected)
      return fault("argument '" + argument + "' has " + llvm::Twine(size) + " " + what + ", expected " +
                   llvm::Twine(expected));
    if (dimension.empty())
      return;
    auto [first, added] = sizes.try_emplace(dimension, size, argument.str());
    if (!added && first->second.first != size)
      fault("dimension '" + dimension + "' is " + llvm::Twine(first->second.first) + " in '" + first->second.second +
            "' and " + llvm::Twine(size) + " in '" + argument + "'");
  }

  void refuseUnknown() {
    auto known = [&](StringRef name) {
      for (unsigned index = 0; index < kernel.getNumArguments(); ++index)
        if (kernel.argName(index) == name)
          return true;
      return false;
    };
    std::string all;
    for (unsigned index = 0; index < kernel.getNumArguments(); ++index)
      all += (index ? ", '" : "'") + kernel.argName(index).str() + "'";
    auto refuse = [&](const std::string &name) {
      if (!known(name))
        fault("'" + name + "' is no argument of @" + kernel.getSymName() + ", which takes " + all);
    };
    for (const auto &[name, tensor] : tensors)
      refuse(name);
    for (const auto &[name, scalar] : scalars)
      refuse(name);
  }

  KernelOp kernel;
  const std::map<std::string, HostTensor> &tensors;
  const std::map<std::string, HostScalar> &scalars;
  const std::set<std::string> &unread;
  SmallVector<NamedValue> arguments;
  BoundArguments bound;
  std::vector<std::string> faults;
  llvm::StringMap<std::pair<int64_t, std::string>> sizes; ///< of dimensions, and where each was first met
};

} // namespace

llvm::Expected<BoundArguments> bindArguments(KernelOp kernel, const std::map<std::string, HostTensor> &tensors,
                                             const std::map<std::string, HostScalar> &scalars,
                                             const std::set<std::string> &unread) {
  return Binder(kernel, tensors, scalars, unread).bind();
}

} // namespace attn
