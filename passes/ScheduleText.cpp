// SPDX-License-Identifier: Apache-2.0
// Instantiates the text of a schedule.
#include "passes/ScheduleText.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Parser/Parser.h"
#include "passes/Templates.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace attn {

int64_t paddedColumns(int64_t elements) { return (elements + 15) / 16 * 16; }

/// The paragraph of aliases, as forward.mlir begins with.
static std::string aliases(const ScheduleTypes &types) {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto view = [&](StringRef name, int64_t columns, Type element) {
    os << "!" << name << " = !tile.view<" << columns << " x " << element << ">\n";
  };
  auto tile = [&](StringRef name, int64_t rows, int64_t columns, Type element) {
    os << "!" << name << " = tensor<" << rows << "x" << columns << "x" << element << ">\n";
  };
  Type f32 = Float32Type::get(types.operand.getContext());
  int64_t columns = paddedColumns(types.headDim), columnsV = paddedColumns(types.headDimV);
  view("view_qk", types.headDim, types.operand);
  view("view_v", types.headDimV, types.operand);
  view("view_out", types.headDimV, types.output);
  view("view_lse", 1, f32);
  tile("q", types.blockQ, columns, types.operand);
  tile("k", types.blockKv, columns, types.operand);
  tile("v", types.blockKv, columnsV, types.operand);
  tile("scores", types.blockQ, types.blockKv, f32);
  tile("probs", types.blockQ, types.blockKv, types.operand);
  tile("acc", types.blockQ, columnsV, f32);
  os << "!rows = tensor<" << types.blockQ << "xf32>\n!flags = tensor<" << types.blockQ << "xi1>\n";
  os << "#step = " << types.blockKv << "\n";
  char number[32];
  std::snprintf(number, sizeof(number), "%.9e", types.toExp2);
  os << "#to_exp2 = dense<" << number << "> : !scores\n#to_exp2_rows = dense<" << number << "> : !rows\n";
  std::snprintf(number, sizeof(number), "%.9e", types.toExp2 * 0.6931471805599453);
  os << "#to_exp_rows = dense<" << number << "> : !rows\n";
  return text;
}

OwningOpRef<ModuleOp> parseSchedule(const ScheduleTypes &types, MLIRContext *context) {
  StringRef text = templateText("schedules/forward");
  std::string instance = aliases(types) + text.substr(text.find("\n\n")).str();
  return parseSourceString<ModuleOp>(instance, ParserConfig(context, /*verifyAfterParse=*/false), "schedules/forward");
}

} // namespace attn
