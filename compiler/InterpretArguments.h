// SPDX-License-Identifier: Apache-2.0
// Fits what the interpreter is given to the arguments of a kernel, and says everything that does not fit.
#pragma once

#include "compiler/Interpreter.h"

#include "dialect/Attn.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

#include <set>

namespace attn {

/// The values of a kernel's arguments.
struct BoundArguments {
  llvm::DenseMap<mlir::Value, FunctionProgram::BoundTensor> tensors;
  llvm::DenseMap<mlir::Value, Slot> scalars;
};

/// The kernel of that name; the only one when the name is empty. An error lists the names that there are.
llvm::Expected<KernelOp> findKernel(mlir::ModuleOp module, llvm::StringRef name);

/// What a kernel writes: its results, then the arguments that it appends to.
std::vector<std::string> namesOfResults(KernelOp kernel);

/// Checks presence, element types, shapes, and that dimensions of one name have one size. All faults at once, each a
/// sentence in a line. `unread` names arguments that were given but could not be read: they are not called missing.
llvm::Expected<BoundArguments> bindArguments(KernelOp kernel, const std::map<std::string, HostTensor> &tensors,
                                             const std::map<std::string, HostScalar> &scalars,
                                             const std::set<std::string> &unread = {});

} // namespace attn
