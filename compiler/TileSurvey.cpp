// SPDX-License-Identifier: Apache-2.0
// Evaluates the bounds of a kernel's loop for every program that differs from the others.
#include "compiler/TileSurvey.h"
#include "compiler/ListRun.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace mlir;

namespace attn {
namespace {

class Surveyor {
public:
  Surveyor(func::FuncOp function, ScalarEvaluator &evaluator) : function(function), evaluator(evaluator) {}

  std::variant<TileSurvey, std::string> run() {
    if (!findLoop())
      return std::string("the kernel has no loop over tiles of keys");
    if (loop->getParentOfType<scf::WhileOp>())
      return std::string("programs take equal shares of all tiles; which, their lengths say at launch");
    if (!measureGrid())
      return std::string("the number of programs is not known");
    visitCoordinate(relevant.size());
    if (!unknown.empty())
      return unknown;
    std::stable_sort(survey.rows.begin(), survey.rows.end(), [](const RowTiles &a, const RowTiles &b) {
      return a.sequence != b.sequence ? a.sequence < b.sequence : a.firstRow < b.firstRow;
    });
    return std::move(survey);
  }

private:
  /// Everything that is asked for is named by operations in and around the one loop with products.
  bool findLoop() {
    function.walk([&](scf::ForOp candidate) {
      if (!candidate.getOps<tile::DotOp>().empty())
        loop = candidate;
    });
    function.walk([&](tile::ProgramOp op) { program = op; });
    if (!loop || !program)
      return false;
    for (auto load : loop.getOps<tile::LoadOp>())
      if (!keyLoad)
        keyLoad = load;
    for (auto op : loop.getOps<tile::MaskOp>())
      mask = op;
    if (auto count = loop.getUpperBound().getDefiningOp<tile::CountOp>())
      list = count.getList().getDefiningOp<tile::CollectOp>();
    function.walk([&](tile::LoadOp load) {
      if (load->getBlock() == loop->getBlock())
        queryLoad = load;
    });
    return keyLoad && queryLoad;
  }

  bool measureGrid() {
    survey.blockQ = cast<RankedTensorType>(queryLoad.getTile().getType()).getDimSize(0);
    survey.blockKv = cast<RankedTensorType>(keyLoad.getTile().getType()).getDimSize(0);
    for (Value extent : program.getExtents()) {
      std::optional<int64_t> size = evaluator.valueOf(extent);
      if (!size)
        return false;
      survey.grid.push_back(*size);
      survey.programs *= *size;
    }
    findRelevant();
    return true;
  }

  /// Coordinates that nothing here is computed from need one value each; the rest are all tried.
  void findRelevant() {
    auto lengthOf = [](tile::LoadOp load) {
      auto view = load.getView().getDefiningOp<tile::ViewOp>();
      return view ? view.getLength() : Value();
    };
    wanted = {loop.getLowerBound(), loop.getUpperBound(), queryLoad.getAt(), lengthOf(queryLoad), lengthOf(keyLoad)};
    if (mask && mask.getNumber() && !list)
      wanted.append({mask.getFreeFrom(), mask.getFreeTo()});
    if (list)
      wanted.push_back(list.getList());
    llvm::SmallVector<Value> ids(program.getIds());
    for (auto [id, size] : llvm::zip(ids, survey.grid)) {
      bool used = llvm::any_of(wanted, [&](Value value) { return value && !dependsOn(value, {id}).empty(); });
      if (used) {
        relevant.push_back({id, size, dependsOn(queryLoad.getAt(), {id}).empty()});
      } else {
        survey.repeats *= size;
        evaluator.set(id, 0);
      }
    }
  }

  /// Tries all values of the first `count` relevant coordinates.
  void visitCoordinate(size_t count) {
    if (!unknown.empty())
      return;
    if (count == 0)
      return visitProgram();
    const Coordinate &coordinate = relevant[count - 1];
    for (int64_t i = 0; i < coordinate.size; ++i) {
      evaluator.set(coordinate.id, i);
      if (coordinate.tellsApart)
        sequence = sequence * coordinate.size + i;
      visitCoordinate(count - 1);
      if (coordinate.tellsApart)
        sequence /= coordinate.size;
    }
  }

  std::optional<int64_t> number(Value value, StringRef what) {
    std::optional<int64_t> known = value ? evaluator.valueOf(value) : std::nullopt;
    if (!known && unknown.empty())
      unknown = (what + " depends on " + whatIsMissing(value)).str();
    return known;
  }

  /// The integer arguments and tensors of integers that a value is computed from and that nobody gave a value.
  std::string whatIsMissing(Value value) {
    SmallVector<Value> arguments(function.getArguments());
    std::string names;
    for (Value argument : value ? dependsOn(value, arguments) : SmallVector<Value>()) {
      auto name = function.getArgAttrOfType<StringAttr>(cast<BlockArgument>(argument).getArgNumber(), "attn.name");
      if (name && isMissing(argument))
        names += (names.empty() ? "'" : ", '") + name.getValue().str() + "'";
    }
    return names.empty() ? "values that are known at launch only"
                         : names + ", which --sizes or --input can give a value";
  }

  bool isMissing(Value argument) {
    if (argument.getType().isIntOrIndex())
      return !evaluator.valueOf(argument);
    return cast<MemRefType>(argument.getType()).getElementType().isInteger() && !evaluator.reads(argument);
  }

  /// The tiles of a list, or else of a range of tile numbers.
  void classify(RowTiles &tiles) {
    if (!list)
      return classifyRange(tiles);
    Value missing;
    auto listed = runCollect(list, evaluator, missing);
    if (!listed)
      unknown = "which tiles are visited depends on " + whatIsMissing(list.getList());
    else
      for (auto [number, full] : *listed)
        if (number >= 0 && number < int64_t(tiles.tiles.size()))
          tiles.tiles[number] = full || !mask ? TileClass::Full : TileClass::Masked;
  }

  void visitProgram() {
    auto row = number(wanted[2], "the first row"), length = number(wanted[3], "the number of rows");
    auto keys = number(wanted[4], "the number of keys");
    if (!unknown.empty())
      return;
    RowTiles tiles{sequence, *row, std::clamp<int64_t>(*length - *row, 0, survey.blockQ), *keys, {}};
    tiles.tiles.assign(llvm::divideCeil(*keys, survey.blockKv), TileClass::Skipped);
    classify(tiles);
    survey.rows.push_back(std::move(tiles));
  }

  void classifyRange(RowTiles &tiles) {
    auto begin = number(wanted[0], "the first tile"), end = number(wanted[1], "the last tile");
    int64_t freeFrom = 0, freeTo = 0;
    if (mask && mask.getNumber()) {
      freeFrom = number(mask.getFreeFrom(), "the first tile without a mask").value_or(0);
      freeTo = number(mask.getFreeTo(), "the last tile without a mask").value_or(0);
    } else if (!mask && end) {
      freeTo = *end;
      freeFrom = begin.value_or(0);
    }
    if (!unknown.empty())
      return;
    for (int64_t t = *begin; t < *end; ++t)
      if (std::optional<int64_t> place = placeOf(t); place && *place < int64_t(tiles.tiles.size()))
        tiles.tiles[*place] = t >= freeFrom && t < freeTo ? TileClass::Full : TileClass::Masked;
  }

  /// Which tile of keys tile number t is.
  std::optional<int64_t> placeOf(int64_t t) {
    // Nearly always the column is t times block_kv and nothing has to be evaluated for each tile.
    if (plain == Plain::Unknown) {
      auto multiply = keyLoad.getAt().getDefiningOp<arith::MulIOp>();
      plain = multiply && llvm::is_contained(multiply->getOperands(), loop.getInductionVar()) ? Plain::Yes : Plain::No;
    }
    if (plain == Plain::Yes)
      return t;
    evaluator.set(loop.getInductionVar(), t);
    std::optional<int64_t> column = number(keyLoad.getAt(), "the keys of a tile");
    return column ? std::optional(*column / survey.blockKv) : std::nullopt;
  }

  struct Coordinate {
    Value id;
    int64_t size;
    bool tellsApart; ///< the row does not depend on it: other sequences or heads
  };
  enum class Plain { Unknown, Yes, No };

  func::FuncOp function;
  ScalarEvaluator &evaluator;
  TileSurvey survey;
  scf::ForOp loop;
  tile::ProgramOp program;
  tile::LoadOp keyLoad, queryLoad;
  tile::MaskOp mask;
  tile::CollectOp list; ///< of the tiles that are visited; null where a range says them
  SmallVector<Value> wanted;
  SmallVector<Coordinate> relevant;
  int64_t sequence = 0;
  Plain plain = Plain::Unknown;
  std::string unknown;
};

} // namespace

int64_t TileSurvey::count(TileClass kind) const {
  int64_t sum = 0;
  for (const RowTiles &row : rows)
    sum += llvm::count(row.tiles, kind);
  return sum * repeats;
}

std::variant<TileSurvey, std::string> surveyTiles(func::FuncOp function, ScalarEvaluator &evaluator) {
  return Surveyor(function, evaluator).run();
}

} // namespace attn
