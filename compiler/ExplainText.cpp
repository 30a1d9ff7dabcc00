// SPDX-License-Identifier: Apache-2.0
// The words and pictures of --explain.
#include "compiler/ExplainText.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
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

/// A term of a mask, in words, and what it is as far as tiles are concerned.
struct Term {
  std::string text, kind;
};

constexpr StringLiteral kIntervals = "intervals of tiles", kOnce = "once per program";

std::string textOf(const MaskTree &tree) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  tree.print(stream);
  return text;
}

/// Whether some value that this one is computed from is made by such an operation.
template <typename Op> bool isMadeBy(Value value) {
  Operation *op = value.getDefiningOp();
  return op && (isa<Op>(op) || llvm::any_of(op->getOperands(), [](Value operand) { return isMadeBy<Op>(operand); }));
}

/// What would make more of a condition that only elements can be asked.
StringRef adviceFor(Value condition, const MaskAnalysis &analysis) {
  auto isLoadByColumn = [&](Value value) {
    auto load = value.getDefiningOp<memref::LoadOp>();
    return load && (analysis.dependence(load.getResult()) & kOnColumn);
  };
  Operation *op = condition.getDefiningOp();
  if (isLoadByColumn(condition))
    return "the indices of its tiles in a list, for attn.member, would leave out the others";
  if (op && isMadeBy<memref::LoadOp>(condition))
    return "values along the keys that do not fall can be promised by {attn.sorted}, and then are searched";
  if (isMadeBy<arith::RemSIOp>(condition) || isMadeBy<arith::RemUIOp>(condition))
    return "a remainder counts for tiles if it is one of an affine number, compared with what all pairs share";
  if (isMadeBy<arith::FloorDivSIOp>(condition) || isMadeBy<arith::DivSIOp>(condition))
    return "with one divisor for all keys, by arith.floordivsi, it would be decided once for each block";
  return "comparisons of sums of positions, blocks by arith.floordivsi or lists by attn.member would tell tiles apart";
}

std::string kindOf(const MaskTree &leaf, const MaskAnalysis &analysis) {
  auto isByRow = [&](const AffineForm::Term &term) { return analysis.dependence(term.symbol) != kUniform; };
  switch (leaf.kind) {
  case MaskTree::Kind::Affine:
    if (analysis.dependence(leaf.form) == kUniform)
      return kOnce.str();
    return llvm::any_of(leaf.form.symbols, isByRow)
               ? "intervals of tiles, by the least and the greatest value that the rows of a tile load"
               : kIntervals.str();
  case MaskTree::Kind::Residue:
    return "once per tile, where a tile is too narrow to have all residues";
  case MaskTree::Kind::Ordered:
    return "intervals of tiles, searched once per program";
  case MaskTree::Kind::Member:
    if (leaf.form.key + leaf.form.column != 0)
      return "a list, whose entries say which tiles are visited";
    [[fallthrough]];
  default:
    if (analysis.dependence(leaf.condition) == kUniform)
      return kOnce.str();
    if (analysis.blockNumbersOf(leaf.condition, kOnColumn))
      return "once per block of keys";
    return ("every element of every visited tile (no comparison of positions): " + adviceFor(leaf.condition, analysis))
        .str();
  }
}

/// With what opaque conditions mean for tiles in their place.
MaskTree refine(const MaskTree &tree, const MaskAnalysis &analysis) {
  if (tree.kind == MaskTree::Kind::Opaque)
    if (std::optional<MaskTree> refined = analysis.refined(tree.condition))
      return tree.negated ? refined->negate() : *refined;
  if (tree.kind != MaskTree::Kind::And && tree.kind != MaskTree::Kind::Or)
    return tree;
  std::vector<MaskTree> children;
  for (const MaskTree &child : tree.children)
    children.push_back(refine(child, analysis));
  return tree.kind == MaskTree::Kind::And ? MaskTree::all(std::move(children)) : MaskTree::any(std::move(children));
}

void collectTerms(const MaskTree &tree, const MaskAnalysis &analysis, std::vector<Term> &terms) {
  if (tree.kind == MaskTree::Kind::True || tree.kind == MaskTree::Kind::False)
    return;
  if (tree.kind == MaskTree::Kind::And || tree.kind == MaskTree::Kind::Or) {
    for (const MaskTree &child : tree.children)
      collectTerms(child, analysis, terms);
    return;
  }
  Term term{textOf(tree), kindOf(tree, analysis)};
  if (llvm::none_of(terms, [&](const Term &known) { return known.text == term.text; }))
    terms.push_back(std::move(term));
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
  std::vector<Term> terms;
  MaskTree tree = refine(analysis.tree(), analysis);
  collectTerms(tree, analysis, terms);
  auto words = wordsOf(body, mask);
  std::string text = withWords(textOf(tree), words);
  bool alike = llvm::all_of(terms, [&](const Term &term) { return term.kind == terms.front().kind; });
  if (alike)
    return terms.empty() ? text : text + ", " + terms.front().kind;
  for (const Term &term : terms)
    text += "\n           " + withWords(term.text, words) + ": " + term.kind;
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
