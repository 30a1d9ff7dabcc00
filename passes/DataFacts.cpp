// SPDX-License-Identifier: Apache-2.0
// Walks the sequences of a kernel, and the lists that its functions ask, and writes down what they must hold.
#include "passes/DataFacts.h"
#include "passes/Supported.h"

#include "dialect/AttnNames.h"
#include "mlir/IR/Builders.h"
#include "passes/ListUses.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn {
namespace {

class FactCollector {
public:
  explicit FactCollector(KernelOp kernel)
      : kernel(kernel), arguments(argumentsOf(kernel)), builder(kernel.getContext()) {}

  ArrayAttr collect() {
    for (Operation &op : kernel.getBody().front())
      TypeSwitch<Operation *>(&op).Case<DenseOp, RaggedOp, PagesOp, ShareOp, AtOp>([&](auto op) { add(op); });
    for (const ListUse &use : listUsesOf(kernel))
      add(use);
    for (Value tensor : sortedTensorsOf(kernel))
      fact({"sorted", nameOf(tensor)});
    return builder.getArrayAttr(facts);
  }

private:
  StringRef nameOf(Value argument) { return kernel.argName(cast<BlockArgument>(argument).getArgNumber()); }
  StringRef dimensionOf(Value argument, unsigned index) {
    return arguments[cast<BlockArgument>(argument).getArgNumber()].dimensions[index].name;
  }

  void fact(ArrayRef<StringRef> words) {
    ArrayAttr all = builder.getStrArrayAttr(words);
    if (!llvm::is_contained(facts, all))
      facts.push_back(all);
  }

  /// Whether some line or function reads a tensor without regard to lengths.
  static bool isReadWhole(Value tensor) {
    return llvm::any_of(tensor.getUsers(), [](Operation *user) {
      auto dense = dyn_cast<DenseOp>(user);
      return dense ? !dense.getLens() : !isa<RaggedOp, PagesOp>(user);
    });
  }

  /// Arguments of the kernel, each once: results of lines are new.
  static SmallVector<Value> argumentsAmong(OperandRange tensors) {
    SmallVector<Value> all;
    for (Value tensor : tensors)
      if (isa<BlockArgument>(tensor) && !llvm::is_contained(all, tensor))
        all.push_back(tensor);
    return all;
  }

  void add(DenseOp op) {
    for (Value tensor : argumentsAmong(op.getTensors()))
      if (op.getLens() && !isReadWhole(tensor))
        fact({"length", nameOf(op.getLens()), nameOf(tensor), dimensionOf(tensor, 1)});
  }

  void add(RaggedOp op) {
    for (Value tensor : argumentsAmong(op.getTensors()))
      fact({"pointers", nameOf(op.getIndptr()), dimensionOf(tensor, 0)});
  }

  void add(PagesOp op) {
    for (Value pool : argumentsAmong(op.getPools()))
      fact({"pages", nameOf(op.getTable()), nameOf(pool), nameOf(op.getLens())});
  }

  /// What has an element for each sequence: its data, its table or its rows, or its row ends, which are one more. Null
  /// where no argument has.
  static Value countedBy(Value sequence) {
    Value counted = sequence;
    if (Operation *maker = sequence.getDefiningOp())
      counted = TypeSwitch<Operation *, Value>(maker)
                    .Case([](DenseOp op) { return op.getTensors().front(); })
                    .Case([](RaggedOp op) { return op.getIndptr(); })
                    .Case([](PagesOp op) { return op.getTable(); })
                    .Case([](ShareOp op) { return op.getRows(); })
                    .Case([](ConcatOp op) { return countedBy(op.getParts().front()); })
                    .Case([](AtOp op) { return countedBy(op.getOf()); })
                    .Default([](Operation *) { return Value(); });
    return counted && isa<BlockArgument>(counted) ? counted : Value();
  }

  /// The lengths or row ends of a sequence; null for one of full length.
  static Value lengthsOf(Value sequence) {
    Operation *maker = sequence.getDefiningOp();
    if (!maker)
      return {};
    return TypeSwitch<Operation *, Value>(maker)
        .Case([](DenseOp op) { return op.getLens(); })
        .Case([](RaggedOp op) { return op.getIndptr(); })
        .Case([](PagesOp op) { return op.getLens(); })
        .Case([](AtOp op) { return lengthsOf(op.getOf()); })
        .Default([](Operation *) { return Value(); });
  }

  /// Whether lengthsOf says all about the lengths of a sequence.
  static bool hasPlainLengths(Value sequence) {
    if (auto at = sequence.getDefiningOp<AtOp>())
      return hasPlainLengths(at.getOf());
    return !isa_and_nonnull<ShareOp, ConcatOp>(sequence.getDefiningOp());
  }

  void add(ShareOp op) {
    Value counted = countedBy(op.getOf());
    if (!op.getRows() || !counted)
      return;
    bool byEntry = cast<RankedTensorType>(op.getRows().getType()).getRank() == 2;
    Value lengths = byEntry ? lengthsOf(op.getOf()) : Value();
    if (lengths)
      fact({"rows", nameOf(op.getRows()), nameOf(counted), nameOf(lengths)});
    else
      fact({"rows", nameOf(op.getRows()), nameOf(counted)});
  }

  void add(AtOp op) {
    if (!op.getPositions() || !hasPlainLengths(op.getOf()))
      return;
    if (Value lengths = lengthsOf(op.getOf()))
      fact({"increasing", nameOf(op.getPositions()), nameOf(lengths)});
    else
      fact({"increasing", nameOf(op.getPositions())});
  }

  /// Lists that a line computes are new and say nothing about arguments.
  void add(const ListUse &use) {
    for (Value value : {use.list, use.count, use.rows})
      if (value && !isa<BlockArgument>(value))
        return;
    std::string unit = std::to_string(use.unit);
    if (use.rows) {
      // A number that nothing names is called after its tensor and place, as in the kernel file.
      std::string dimension = dimensionOf(use.list, 0).str();
      fact({"pointers", nameOf(use.rows), dimension.empty() ? nameOf(use.list).str() + "_0" : dimension});
    }
    SmallVector<StringRef> words{use.isRanges ? "ranges" : "members", nameOf(use.list), unit};
    if (Value counted = use.rows ? use.rows : use.count)
      words.push_back(nameOf(counted));
    fact(words);
  }

  KernelOp kernel;
  SmallVector<NamedValue> arguments;
  Builder builder;
  SmallVector<Attribute> facts;
};

} // namespace

ArrayAttr dataFactsOf(KernelOp kernel) { return FactCollector(kernel).collect(); }

bool lengthsAreData(KernelOp kernel) {
  return llvm::any_of(kernel.getBody().front(), [](Operation &op) {
    auto dense = dyn_cast<DenseOp>(op);
    return isa<RaggedOp, PagesOp>(op) || (dense && dense.getLens());
  });
}

SmallVector<StringRef> appendedArguments(KernelOp kernel) {
  SmallVector<StringRef> names;
  for (auto append : kernel.getBody().front().getOps<AppendOp>()) {
    for (Value tensor : tensorsOfCache(append)) {
      StringRef name = kernel.argName(cast<BlockArgument>(tensor).getArgNumber());
      if (!llvm::is_contained(names, name))
        names.push_back(name);
    }
  }
  return names;
}

} // namespace attn
