// SPDX-License-Identifier: Apache-2.0
// From the text of a spec to a kernel file.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace attn {

/// The stages at which the compiler's IR can be looked at, in order.
enum class Stage { Attn, Tile, Gpu, Llvm, Ptx };

struct CompileOptions {
  std::string target = "sm_80"; ///< a chip of the target table
  Stage emit = Stage::Ptx;      ///< what to return: IR as text, or for Ptx the kernel file
  std::string printAfter;       ///< stop after the pass of this name and return the IR; empty: run on
  std::string startAfter;       ///< the text is the IR after the pass of this name; empty: a spec
};

/// The stage of that name ("attn", "tile", "gpu", "llvm", "ptx"), or nothing.
std::optional<Stage> stageNamed(llvm::StringRef name);

/// Names of the compiler's passes in the order in which they run.
llvm::ArrayRef<llvm::StringRef> passNames();

/// Dialects of specs and of every stage.
mlir::DialectRegistry compilerDialects();

/// Parses a spec and links the functions of the library that it uses. On failure the error holds every diagnostic, one
/// a line, in the form file:line:column: severity: sentence.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> parseSpec(llvm::StringRef text, llvm::StringRef fileName,
                                                            mlir::MLIRContext &context);

/// Compiles a spec, given as text. Remarks and warnings go to `remarks` if it is given. Errors as in parseSpec.
llvm::Expected<std::string> compileSpec(llvm::StringRef text, llvm::StringRef fileName, const CompileOptions &options,
                                        std::string *remarks = nullptr);

/// One word that differs between builds that may emit different code.
std::string compilerBuild();

} // namespace attn
