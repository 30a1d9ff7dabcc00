// SPDX-License-Identifier: Apache-2.0
// Hands a spec and the arguments of a case to the interpreter.
#include "test/cases/Reference.h"

#include "compiler/Compiler.h"
#include "compiler/Interpreter.h"
#include "runtime/Error.h"

namespace attn::cases {

namespace {

attn::HostTensor viewOf(const PlacedTensor &tensor) {
  const std::byte *first = tensor.memory.data() + static_cast<size_t>(tensor.offset) * sizeOf(tensor.type);
  return {tensor.type, tensor.shape, tensor.strides, first};
}

} // namespace

Expected interpret(const std::string &spec, const Arguments &given) {
  mlir::MLIRContext context(compilerDialects(), mlir::MLIRContext::Threading::DISABLED);
  auto module = parseSpec(spec, "case.mlir", context);
  if (!module)
    throw Error(llvm::toString(module.takeError()));
  std::map<std::string, attn::HostTensor> tensors;
  for (const PlacedTensor &tensor : given.inputs)
    tensors.emplace(tensor.name, viewOf(tensor));
  for (const PlacedTensor &tensor : given.outputs)
    if (tensor.updated)
      tensors.emplace(tensor.name, viewOf(tensor));
  // The interpreter reads the sizes of results from those of the arguments.
  std::map<std::string, HostScalar> scalars = given.scalars;
  if (given.hasScale)
    scalars.emplace("scale", static_cast<double>(given.scaleValue));

  Expected all;
  for (bool kernelPrecision : {false, true}) {
    InterpretOptions options;
    options.kernelPrecision = kernelPrecision;
    llvm::Expected<Interpretation> results = attn::interpret(**module, "case", tensors, scalars, options);
    if (!results)
      throw Error("the interpreter: " + llvm::toString(results.takeError()));
    for (const PlacedTensor &output : given.outputs)
      (kernelPrecision ? all.own : all.exact).push_back(std::move(results->at(output.name).values));
  }
  return all;
}

} // namespace attn::cases
