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

static constexpr double log2e = 1.4426950408889634;

/// A number for all elements, with as many digits as an f32 can tell apart.
static std::string splat(double value) {
  char number[40];
  std::snprintf(number, sizeof(number), "dense<%.9e>", value);
  return number;
}

/// The paragraph of aliases, as forward.mlir and other walks over keys begin with: all that any of them uses.
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
  view("view_part", types.headDimV, f32);
  tile("q", types.blockQ, columns, types.operand);
  tile("k", types.blockKv, columns, types.operand);
  tile("v", types.blockKv, columnsV, types.operand);
  tile("scores", types.blockQ, types.blockKv, f32);
  tile("probs", types.blockQ, types.blockKv, types.operand);
  tile("acc", types.blockQ, columnsV, f32);
  os << "!rows = tensor<" << types.blockQ << "xf32>\n!flags = tensor<" << types.blockQ << "xi1>\n";
  tile("marks", types.blockQ, types.blockKv, IntegerType::get(types.operand.getContext(), 1));
  os << "#step = " << types.blockKv << "\n";
  os << "#to_exp2 = " << splat(types.scale * log2e) << " : !scores\n";
  os << "#to_exp2_rows = " << splat(types.scale * log2e) << " : !rows\n";
  os << "#to_exp_rows = " << splat(types.scale) << " : !rows\n";
  return text;
}

/// The paragraph of aliases, as merge.mlir begins with.
static std::string aliases(const MergeTypes &types) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "!view_out = !tile.view<" << types.columns << " x " << types.output << ">\n";
  os << "!view_lse = !tile.view<1 x f32>\n";
  os << "!acc = tensor<" << types.rows << "x" << paddedColumns(types.columns) << "xf32>\n";
  os << "!rows = tensor<" << types.rows << "xf32>\n!flags = tensor<" << types.rows << "xi1>\n";
  os << "#to_exp2 = " << splat(types.scale * log2e) << " : !rows\n#to_exp = " << splat(types.scale) << " : !rows\n";
  return text;
}

/// The paragraph of aliases, as append.mlir begins with.
static std::string aliases(const AppendTypes &types) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "!view = !tile.view<" << types.columns << " x " << types.element << ">\n";
  os << "!rows = tensor<" << types.rows << "x" << paddedColumns(types.columns) << "x" << types.element << ">\n";
  return text;
}

/// The paragraph of aliases, as select.mlir begins with.
static std::string aliases(const SelectTypes &types) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "!sums = " << types.sums << "\n!list = " << types.list << "\n!count = " << types.count << "\n";
  return text;
}

/// The text of that name, with another first paragraph.
static OwningOpRef<ModuleOp> parse(StringRef name, const std::string &paragraph, MLIRContext *context) {
  StringRef text = templateText(name);
  std::string instance = paragraph + text.substr(text.find("\n\n")).str();
  return parseSourceString<ModuleOp>(instance, ParserConfig(context, /*verifyAfterParse=*/false), name);
}

OwningOpRef<ModuleOp> parseSchedule(StringRef name, const ScheduleTypes &types, MLIRContext *context) {
  return parse(("schedules/" + name).str(), aliases(types), context);
}

OwningOpRef<ModuleOp> parseMergeSchedule(const MergeTypes &types, MLIRContext *context) {
  return parse("schedules/merge", aliases(types), context);
}

OwningOpRef<ModuleOp> parseAppendSchedule(const AppendTypes &types, MLIRContext *context) {
  return parse("schedules/append", aliases(types), context);
}

OwningOpRef<ModuleOp> parseSelectSchedule(const SelectTypes &types, MLIRContext *context) {
  return parse("schedules/select", aliases(types), context);
}

} // namespace attn
