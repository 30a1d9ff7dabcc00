// SPDX-License-Identifier: Apache-2.0
// The reference: evaluates a kernel of a spec by definition, in double precision or in the kernel's own precisions.
#pragma once

#include "compiler/AttentionFormula.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mlir {
class ModuleOp;
class Type;
} // namespace mlir

namespace attn {

/// A number passed by value. An f32 argument takes both forms and is rounded to f32; index and i32 take whole numbers.
using HostScalar = std::variant<double, int64_t>;

struct InterpretOptions {
  /// The same formula in the kernel's own precisions, without tiles, instead of double precision.
  bool kernelPrecision = false;
  /// Only these query rows are computed: indices along the dimension of queries of what a query lies in. Those beyond a
  /// sequence's length are passed over.
  std::optional<std::vector<int64_t>> rows = std::nullopt;
};

/// The results of a kernel by name, and the arguments that it appends to. What no query computes (rows not asked for,
/// rows beyond a query's length) is NaN.
using Interpretation = std::map<std::string, HostResult>;

/// Evaluates the kernel of that name (empty: the only one). The functions it uses are in the module. Tensors have the
/// element types that the spec gives them. Errors, a sentence a line: no such kernel; every fault of the arguments;
/// a function without a value for some pair; a line that the interpreter does not know.
llvm::Expected<Interpretation> interpret(mlir::ModuleOp module, llvm::StringRef kernel,
                                         const std::map<std::string, HostTensor> &tensors,
                                         const std::map<std::string, HostScalar> &scalars,
                                         const InterpretOptions &options);

/// The element type of tensors of this type, or the type of a scalar; nothing for types that no argument has.
std::optional<DType> elementTypeOf(mlir::Type type);

} // namespace attn
