// SPDX-License-Identifier: Apache-2.0
// The words and pictures of --explain.
#include "compiler/ExplainText.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "passes/MaskAnalysis.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attn {
namespace {

/// What the terms of a mask are, as far as tiles are concerned.
struct Terms {
  bool affine = false;  ///< comparisons of positions: they give intervals
  bool uniform = false; ///< the same for all pairs of a program
  bool opaque = false;  ///< anything else
};

void collectTerms(const MaskTree &tree, const MaskAnalysis &analysis, Terms &terms) {
  if (tree.kind == MaskTree::Kind::Affine)
    terms.affine = true;
  if (tree.kind == MaskTree::Kind::Opaque || tree.kind == MaskTree::Kind::Member)
    (analysis.dependence(tree.condition) == kUniform ? terms.uniform : terms.opaque) = true;
  for (const MaskTree &child : tree.children)
    collectTerms(child, analysis, terms);
}

/// Names of a function's parameters where the kernel calls it: an argument's name, or a constant's value.
std::string parameterName(KernelOp kernel, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return kernel.argName(argument.getArgNumber()).str();
  IntegerAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return std::to_string(constant.getInt());
  return "a value of the kernel";
}

/// The words for what a tree's text calls arg6 or value9: a parameter, or something read from one.
llvm::StringMap<std::string> wordsOf(func::FuncOp body, MaskOp mask) {
  auto kernel = mask->getParentOfType<KernelOp>();
  llvm::StringMap<std::string> words;
  SmallVector<Value> parameters;
  for (auto [i, parameter] : llvm::enumerate(mask.getParams())) {
    words["arg" + std::to_string(kCoordinates + i)] = parameterName(kernel, parameter);
    parameters.push_back(body.getArgument(kCoordinates + i));
  }
  body.walk([&](Operation *op) {
    for (Value result : op->getResults()) {
      SmallVector<Value> read = dependsOn(result, parameters);
      if (read.size() == 1 && isa<MemRefType>(read[0].getType()))
        words["value" + std::to_string(orderOf(result))] =
            words["arg" + std::to_string(cast<BlockArgument>(read[0]).getArgNumber())] + "[]";
    }
  });
  return words;
}

/// The text with the kernel's own words.
std::string withWords(StringRef text, const llvm::StringMap<std::string> &words) {
  std::string result;
  while (!text.empty()) {
    StringRef token = text.take_while([](char c) { return llvm::isAlnum(c); });
    if (token.empty())
      token = text.take_front();
    auto found = words.find(token);
    result += found == words.end() ? token.str() : found->second;
    text = text.drop_front(token.size());
  }
  return result;
}

std::string fixed(double value, int digits) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.*f", digits, value);
  return text;
}

/// The class of a cell that stands for several tiles: theirs if they agree.
char cellOf(const TileSurvey &survey, size_t firstRow, size_t lastRow, size_t firstTile, size_t lastTile) {
  std::optional<TileClass> cell;
  for (size_t row = firstRow; row < lastRow; ++row)
    for (size_t tile = firstTile; tile < lastTile && tile < survey.rows[row].tiles.size(); ++tile) {
      TileClass kind = survey.rows[row].tiles[tile];
      cell = !cell || *cell == kind ? kind : TileClass::Masked;
    }
  return char(cell.value_or(TileClass::Skipped));
}

} // namespace

std::string quantity(double value, StringRef unit) {
  const char *prefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t i = 0;
  for (; value >= 1000 && i + 1 < std::size(prefixes); ++i)
    value /= 1000;
  int digits = i == 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return fixed(value, digits) + " " + prefixes[i] + unit.str();
}

std::string duration(double seconds) {
  double value = seconds * 1e6;
  const char *unit = value < 1000 ? "us" : value < 1e6 ? "ms" : "s";
  value /= value < 1000 ? 1 : value < 1e6 ? 1e3 : 1e6;
  return fixed(value, value < 10 ? 2 : 1) + " " + unit;
}

std::string describeFunction(KernelOp kernel, FlatSymbolRefAttr name) {
  auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(kernel, name);
  auto location = function ? function.getLoc()->findInstanceOf<FileLineColLoc>() : FileLineColLoc();
  bool library = location && location.getFilename().getValue().starts_with("templates/");
  return ("@" + name.getValue() + (library ? " (library)" : " (this file)")).str();
}

std::string describeMask(func::FuncOp function, FlatSymbolRefAttr by, MaskOp mask) {
  auto body = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(function, by);
  if (!body || body.isExternal())
    return "unknown";
  MaskAnalysis analysis(body);
  std::string text;
  llvm::raw_string_ostream stream(text);
  analysis.tree().print(stream);
  Terms terms;
  collectTerms(analysis.tree(), analysis, terms);
  text = withWords(text, wordsOf(body, mask));
  if (terms.affine)
    text += ", intervals of tiles";
  if (terms.uniform)
    text += ", once per program";
  if (terms.opaque)
    text += terms.affine ? ", in part every element of every visited tile (no comparison of positions)"
                         : ", every element of every visited tile (no comparison of positions)";
  return text;
}

std::vector<EntryCode> entriesOf(StringRef kernelFile) {
  std::vector<EntryCode> entries;
  bool inside = false;
  while (!kernelFile.empty()) {
    StringRef line;
    std::tie(line, kernelFile) = kernelFile.split('\n');
    if (line.starts_with("//"))
      continue;
    if (size_t at = line.find(".entry "); at != StringRef::npos) {
      StringRef name = line.substr(at + 7).take_until([](char c) { return c == '(' || c == ' '; });
      entries.push_back({name.str(), 0, 0, 0});
      inside = true;
    }
    if (!inside)
      continue;
    EntryCode &entry = entries.back();
    entry.bytes += int64_t(line.size()) + 1;
    inside = !line.starts_with("}");
    StringRef code = line.trim();
    // Its operands follow on further lines.
    entry.matrixInstructions += code.starts_with("mma.") || code.starts_with("wgmma.mma");
    // Directives, labels, braces and the parameters' declarations are no instructions.
    if (!code.ends_with(";") || code.starts_with("."))
      continue;
    ++entry.instructions;
  }
  return entries;
}

void printPicture(const TileSurvey &survey, llvm::raw_ostream &out) {
  constexpr size_t maxColumns = 64, maxLines = 32;
  size_t rows = 0, tiles = 0;
  for (; rows < survey.rows.size() && survey.rows[rows].sequence == survey.rows.front().sequence; ++rows)
    tiles = std::max(tiles, survey.rows[rows].tiles.size());
  if (!rows || !tiles)
    return;
  size_t down = llvm::divideCeil(rows, maxLines), across = llvm::divideCeil(tiles, maxColumns);
  for (size_t row = 0; row < rows; row += down) {
    out << "           ";
    for (size_t tile = 0; tile < tiles; tile += across)
      out << cellOf(survey, row, std::min(row + down, rows), tile, tile + across);
    out << "\n";
  }
  out << "           # full, + masked, . skipped";
  if (down > 1 || across > 1)
    out << "; a character stands for " << down << " x " << across << " tiles, + also for a mixture";
  out << "\n";
}

} // namespace attn
