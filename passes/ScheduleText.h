// SPDX-License-Identifier: Apache-2.0
// Schedules are texts: their first paragraph is written anew for each kernel, the rest is parsed as it stands.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace attn {

/// What the first paragraph of a schedule that walks keys says.
struct ScheduleTypes {
  int64_t headDim, headDimV; ///< elements of a row of queries and keys, and of values
  int64_t blockQ, blockKv;   ///< rows of a tile
  mlir::Type operand;        ///< of queries, keys and values
  mlir::Type output;         ///< of the result
  double scale;              ///< makes a score an exponent of e
};

/// What the first paragraph of the merge schedule says.
struct MergeTypes {
  int64_t rows, columns; ///< of a tile
  mlir::Type output;     ///< of the result
  double scale;          ///< makes the maximum of a part an exponent of e
};

/// What the first paragraph of the append schedule says.
struct AppendTypes {
  int64_t rows, columns; ///< of a tile, and of a view
  mlir::Type element;
};

/// What the first paragraph of the select schedule says.
struct SelectTypes {
  mlir::MemRefType sums, list, count;
};

/// Columns of a tile that holds rows of that many elements: matrix instructions take 16 at a time.
int64_t paddedColumns(int64_t elements);

/// The schedule of this name ("forward", "statistics", "weighted") for these types; null, with diagnostics, if its text
/// is broken.
mlir::OwningOpRef<mlir::ModuleOp> parseSchedule(llvm::StringRef name, const ScheduleTypes &types,
                                                mlir::MLIRContext *context);

/// The merge schedule for these types; null, with diagnostics, if its text is broken.
mlir::OwningOpRef<mlir::ModuleOp> parseMergeSchedule(const MergeTypes &types, mlir::MLIRContext *context);

/// The append schedule for these types; null, with diagnostics, if its text is broken.
mlir::OwningOpRef<mlir::ModuleOp> parseAppendSchedule(const AppendTypes &types, mlir::MLIRContext *context);

/// The select schedule for these types; null, with diagnostics, if its text is broken.
mlir::OwningOpRef<mlir::ModuleOp> parseSelectSchedule(const SelectTypes &types, mlir::MLIRContext *context);

} // namespace attn
