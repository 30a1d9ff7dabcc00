// SPDX-License-Identifier: Apache-2.0
// Launch arguments: which addresses, sizes, strides and maps the lowered function is given, and what they are called.
#include "passes/TileLowering.h"

#include "mlir/IR/Matchers.h"
#include "passes/MaskAnalysis.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn::tile {

/// The name by which the launcher knows an argument.
StringRef TileLowering::argumentName(Value value) {
  auto argument = cast<BlockArgument>(value);
  return source.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "attn.name").getValue();
}

/// Whether a tensor's own address and strides are not used: its tensor map says where its rows are.
bool TileLowering::onlyCopiedByBoxes(Value memory) {
  auto byAddress = [](Operation *user) {
    auto store = dyn_cast<StoreOp>(user);
    return isa<LoadOp>(user) || (store && (!store.getVia() || endsInside(store)));
  };
  return roles && llvm::all_of(memory.getUsers(), [&](Operation *user) {
           auto view = dyn_cast<ViewOp>(user);
           return isa<memref::DimOp>(user) ||
                  (view && view.getBase() == memory && llvm::none_of(user->getUsers(), byAddress));
         });
}

/// Tensors of which an operation reads or writes elements by address, as function parameters or lists.
static SmallVector<Value> elementsReadBy(Operation *op) {
  auto read = llvm::TypeSwitch<Operation *, SmallVector<Value>>(op)
                  .Case([](ViewOp op) -> SmallVector<Value> {
                    return {op.getRowOf(), op.getStarts(), op.getTable(), op.getPositions()};
                  })
                  .Case([](LocateOp op) -> SmallVector<Value> { return {op.getStarts()}; })
                  .Case([](HeldOp op) -> SmallVector<Value> { return {op.getRuns()}; })
                  .Case<PlaceOp, GatherOp>([](auto op) -> SmallVector<Value> { return {op.getList()}; })
                  .Case([](memref::LoadOp op) -> SmallVector<Value> { return {op.getMemref()}; })
                  .Case([](SettleOp op) -> SmallVector<Value> { return {op.getSums()}; })
                  .Case([](SelectOp op) -> SmallVector<Value> {
                    return {op.getSums(), op.getList(), op.getCount()};
                  })
                  .Case<FirstAboveOp, ExtremesOp>([](auto op) -> SmallVector<Value> { return {op.getValues()}; })
                  .Case<ApplyOp, MaskOp>([](auto op) { return llvm::to_vector(op.getParams()); })
                  .Default([](Operation *) { return SmallVector<Value>(); });
  llvm::erase_if(read, [](Value value) { return !value || !isa<MemRefType>(value.getType()); });
  return read;
}

using Sizes = SmallVector<std::pair<Value, int64_t>>;

/// Adds the lengths of lists that a mask function asks, whose parameters begin with the first of these.
static void addListsAskedBy(func::FuncOp function, ValueRange parameters, Sizes &sizes) {
  function.walk([&](MemberOp member) {
    auto list = dyn_cast<BlockArgument>(member.getList());
    if (list && list.getArgNumber() >= kCoordinates)
      sizes.emplace_back(parameters[list.getArgNumber() - kCoordinates], member.getRow().size());
  });
}

/// Sizes that an operation's lowering looks at beside those that are values.
static Sizes sizesReadBy(Operation *op) {
  if (auto mask = dyn_cast<MaskOp>(op)) {
    Sizes sizes;
    ValueRange parameters = mask.getParams();
    for (auto name : mask.getBy().getAsRange<FlatSymbolRefAttr>()) {
      auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(mask, name);
      if (!function || function.isExternal())
        continue;
      addListsAskedBy(function, parameters, sizes);
      parameters = parameters.drop_front(function.getNumArguments() - kCoordinates);
    }
    return sizes;
  }
  if (auto locate = dyn_cast<LocateOp>(op))
    return {{locate.getStarts(), 0}};
  if (auto held = dyn_cast<HeldOp>(op))
    return {{held.getRuns(), 1}};
  if (auto select = dyn_cast<SelectOp>(op)) // how much a row has room for
    return {{select.getList(), cast<MemRefType>(select.getList().getType()).getRank() - 1}};
  return {};
}

/// What the function is launched with: addresses, then sizes, then strides, then scalars, as far as they are used.
void TileLowering::collectParameters() {
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1), wide = builder.getI64Type();
  auto add = [&](const Twine &text, Type type, bool isMap = false) {
    std::string name = text.str();
    if (parameterIndex.try_emplace(name, parameters.size()).second)
      parameters.push_back({name, type, isMap});
  };
  if (roles)
    roles.walk([&](Operation *op) {
      Type map = LLVM::LLVMPointerType::get(builder.getContext());
      if (auto fill = dyn_cast<FillOp>(op))
        add(boxOf(fill), map, true);
      else if (auto store = dyn_cast<StoreOp>(op); store && store.getVia())
        add(boxOf(store), map, true);
    });
  auto isMeasured = [](Operation *user) { return isa<memref::DimOp>(user); };
  for (BlockArgument argument : source.getArguments())
    if (isa<MemRefType>(argument.getType()) && !onlyCopiedByBoxes(argument) &&
        !llvm::all_of(argument.getUsers(), isMeasured))
      add("address " + argumentName(argument), pointer);
  source.walk([&](WorkspaceOp op) { add("workspace " + describe(op.getOffset()), pointer); });
  source.walk([&](memref::DimOp op) { add("size " + describe(op.getResult()), builder.getI32Type()); });
  source.walk([&](Operation *op) {
    for (auto [memory, dimension] : sizesReadBy(op))
      if (cast<MemRefType>(memory.getType()).isDynamicDim(dimension))
        add("size " + nameOfSize(memory, dimension), builder.getI32Type());
  });
  auto addStrides = [&](Value memory, int64_t dimensions) {
    for (int64_t dimension = 0; isa<BlockArgument>(memory) && dimension < dimensions;
         ++dimension) // others are contiguous
      add("stride " + argumentName(memory) + " " + Twine(dimension), wide);
  };
  source.walk([&](Operation *op) {
    if (auto view = dyn_cast<ViewOp>(op); view && !onlyCopiedByBoxes(view.getBase()))
      addStrides(view.getBase(), view.outerDims() + 2);
    for (Value memory : elementsReadBy(op))
      addStrides(memory, cast<MemRefType>(memory.getType()).getRank());
  });
  for (BlockArgument argument : source.getArguments())
    if (!isa<MemRefType>(argument.getType()))
      add("scalar " + argumentName(argument), isa<IndexType>(argument.getType()) ? wide : argument.getType());
}

/// The arguments as the kernel file lists them: role, name, element type, names and sizes (-1: bound at launch).
ArrayAttr TileLowering::describeArguments() {
  SmallVector<Attribute> all;
  for (BlockArgument argument : source.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto memory = dyn_cast<MemRefType>(argument.getType());
    StringRef role = source.getArgAttr(number, "attn.result")    ? "output"
                     : source.getArgAttr(number, "attn.written") ? "inout"
                                                                 : "input";
    SmallVector<NamedAttribute> entry;
    auto add = [&](StringRef name, Attribute value) { entry.push_back(builder.getNamedAttr(name, value)); };
    add("name", source.getArgAttr(number, "attn.name"));
    add("role", builder.getStringAttr(memory ? role : "scalar"));
    add("type", TypeAttr::get(memory ? memory.getElementType() : argument.getType()));
    if (memory) {
      SmallVector<int64_t> sizes;
      for (int64_t size : memory.getShape())
        sizes.push_back(ShapedType::isDynamic(size) ? -1 : size);
      add("dims", source.getArgAttr(number, "attn.dims"));
      add("sizes", builder.getI64ArrayAttr(sizes));
      if (memory.getRank() >= 3 && memory.getStridesAndOffset().first.back() == 1)
        add("rows", builder.getUnitAttr());
    }
    all.push_back(builder.getDictionaryAttr(entry));
  }
  return builder.getArrayAttr(all);
}

Value TileLowering::pointerParameter(Value memory) {
  auto workspace = memory.getDefiningOp<WorkspaceOp>();
  std::string name =
      workspace ? "workspace " + describe(workspace.getOffset()) : ("address " + argumentName(memory)).str();
  return target.getArgument(parameterIndex.lookup(name));
}

Value TileLowering::strideParameter(Value memory, int64_t dimension) {
  if (memory.getDefiningOp<WorkspaceOp>())
    return workspaceStrides[memory][dimension];
  auto name = ("stride " + argumentName(memory) + " " + Twine(dimension)).str();
  return target.getArgument(parameterIndex.lookup(name));
}

/// The name of a size that only the launch knows.
std::string TileLowering::nameOfSize(Value memory, int64_t dimension) {
  auto names = source.getArgAttrOfType<ArrayAttr>(cast<BlockArgument>(memory).getArgNumber(), "attn.dims");
  return cast<StringAttr>(names[dimension]).str();
}

/// A size of a tensor, which must be among the parameters where it is not static.
Value TileLowering::sizeParameter(Value memory, int64_t dimension) {
  auto type = cast<MemRefType>(memory.getType());
  if (!type.isDynamicDim(dimension))
    return i32(type.getDimSize(dimension));
  return target.getArgument(parameterIndex.lookup("size " + nameOfSize(memory, dimension)));
}

/// A size as an expression of the kernel file.
std::string TileLowering::describe(Value value) {
  IntegerAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return std::to_string(constant.getInt());
  Operation *op = value.getDefiningOp();
  auto operands = [&](StringRef infix) {
    return "(" + describe(op->getOperand(0)) + infix.str() + describe(op->getOperand(1)) + ")";
  };
  auto call = [&](StringRef name) {
    return name.str() + "(" + describe(op->getOperand(0)) + ", " + describe(op->getOperand(1)) + ")";
  };
  if (auto dim = dyn_cast_or_null<memref::DimOp>(op))
    return nameOfSize(dim.getSource(), *dim.getConstantIndex());
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case<arith::AddIOp>([&](auto) { return operands(" + "); })
      .Case<arith::SubIOp>([&](auto) { return operands(" - "); })
      .Case<arith::MulIOp>([&](auto) {
        auto factor = [&](Value value) { // factors of factors need no parentheses of their own
          std::string text = describe(value);
          return value.getDefiningOp<arith::MulIOp>() ? text.substr(1, text.size() - 2) : text;
        };
        return "(" + factor(op->getOperand(0)) + " * " + factor(op->getOperand(1)) + ")";
      })
      .Case<arith::CeilDivUIOp, arith::CeilDivSIOp>([&](auto) { return call("ceildiv"); })
      .Case<arith::FloorDivSIOp>([&](auto) { // of sizes: floor(a / b) = ceil((a + 1) / b) - 1
        return "(ceildiv((" + describe(op->getOperand(0)) + " + 1), " + describe(op->getOperand(1)) + ") - 1)";
      })
      .Case<arith::MinSIOp>([&](auto) { return call("min"); })
      .Case<arith::MaxSIOp>([&](auto) { return call("max"); })
      .Default([](Operation *) { return std::string(); });
}

} // namespace attn::tile
