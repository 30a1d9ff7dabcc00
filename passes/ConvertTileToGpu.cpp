// SPDX-License-Identifier: Apache-2.0
// convert-tile-to-gpu: the frame of the lowering: launch arguments, thread coordinates, scalars and control flow.
#include "passes/Passes.h"

#include "dialect/Target.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/FunctionEmitter.h"
#include "passes/LoopSteps.h"
#include "passes/TileLowering.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_CONVERTTILETOGPU
#include "passes/Passes.h.inc"

namespace tile {

/// The symbol of the dynamic shared memory, one for all kernels; a kernel of the user's may have its usual name.
static LLVM::GlobalOp sharedMemory(ImplicitLocOpBuilder &builder, Operation *module) {
  Block &body = module->getRegion(0).front();
  for (auto global : body.getOps<LLVM::GlobalOp>())
    return global;
  std::string name = "shared_memory";
  while (SymbolTable::lookupSymbolIn(module, name))
    name += "_";
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(&body);
  return LLVM::GlobalOp::create(builder, LLVM::LLVMArrayType::get(builder.getI8Type(), 0), /*isConstant=*/false,
                                LLVM::Linkage::External, name, Attribute(), /*alignment=*/1024, /*addrSpace=*/3);
}

TileLowering::TileLowering(func::FuncOp source, Operation *module)
    : builder(source.getLoc(), source.getContext()), source(source), module(module),
      wideCopies(!source->hasAttr("attn.unaligned")), warps(source->getAttrOfType<IntegerAttr>("tile.warps").getInt()) {
  source.walk([&](RolesOp op) { roles = op; });
}

//===-- small helpers --------------------------------------------------------===//

Value TileLowering::i32(int64_t value) {
  return arith::ConstantOp::create(builder, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
}
Value TileLowering::i64(int64_t value) { return arith::ConstantOp::create(builder, builder.getI64IntegerAttr(value)); }
Value TileLowering::f32(float value) { return arith::ConstantOp::create(builder, builder.getF32FloatAttr(value)); }

Registers &TileLowering::registers(Value tile) {
  auto found = tiles.find(tile);
  assert(found != tiles.end() && "a tile is lowered before its uses");
  return found->second;
}

static LLVM::InlineAsmOp inlineAsm(ImplicitLocOpBuilder &builder, StringRef text, StringRef constraints, Type result,
                                   ValueRange operands, bool effects) {
  return LLVM::InlineAsmOp::create(builder, result ? TypeRange(result) : TypeRange(), operands, text, constraints,
                                   effects, /*is_align_stack=*/false, LLVM::TailCallKind::None, LLVM::AsmDialectAttr(),
                                   ArrayAttr());
}

Value TileLowering::ptx(StringRef text, StringRef constraints, Type result, ValueRange operands, bool effects) {
  return inlineAsm(builder, text, constraints, result, operands, effects).getRes();
}

Value TileLowering::intrinsic(StringRef name, Type result, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(builder, result, builder.getStringAttr(name), operands).getResult(0);
}

static Registers unpack(ImplicitLocOpBuilder &builder, Value all, int64_t results) {
  Registers values;
  for (int64_t i = 0; i < results; ++i)
    values.push_back(LLVM::ExtractValueOp::create(builder, all, i));
  return values;
}

Registers TileLowering::intrinsicMany(StringRef name, Type element, int64_t results, ValueRange operands) {
  auto type = LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(results, element));
  return unpack(builder, intrinsic(name, type, operands), results);
}

Registers TileLowering::ptxMany(StringRef text, StringRef constraints, Type element, int64_t results,
                                ValueRange operands, bool effects) {
  auto type = LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(results, element));
  return unpack(builder, inlineAsm(builder, text, constraints, type, operands, effects).getRes(), results);
}

void TileLowering::ptxEffect(StringRef text, StringRef constraints, ValueRange operands) {
  inlineAsm(builder, text, constraints, Type(), operands, true);
}

Value TileLowering::hiddenZero() {
  for (BlockArgument argument : source.getArguments()) {
    auto memory = dyn_cast<MemRefType>(argument.getType());
    if (!memory || memory.getElementTypeBitWidth() < 16 ||
        !parameterIndex.contains(("address " + argumentName(argument)).str()))
      continue;
    // Elements of two bytes and more have even addresses.
    Value low = LLVM::PtrToIntOp::create(builder, builder.getI32Type(), pointerParameter(argument));
    return arith::AndIOp::create(builder, low, i32(1));
  }
  // Where boxes copy all tensors: sizes are below 2^30.
  for (auto [i, parameter] : llvm::enumerate(parameters))
    if (StringRef(parameter.text).starts_with("size "))
      return arith::ShRUIOp::create(builder, target.getArgument(i), i32(31));
  return i32(0); // known to be that, so nothing waits
}

Value TileLowering::threadOnce() {
  return once("thread", [&] { return ptx("mov.u32 $0, %tid.x;", "=r", builder.getI32Type(), {}); });
}

Type TileLowering::scalarType(Type type) { return isa<IndexType>(type) ? builder.getI32Type() : type; }

//===-- the frame --------------------------------------------------------------===//

void TileLowering::createFunction() {
  SmallVector<Type> types;
  SmallVector<Attribute> texts;
  for (Parameter &parameter : parameters) {
    types.push_back(parameter.type);
    texts.push_back(builder.getStringAttr(parameter.text));
  }
  MLIRContext *context = builder.getContext();
  Block &body = module->getRegion(0).front();
  sharedMemory(builder, module); // before the first kernel
  builder.setInsertionPointToEnd(&body);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types);
  target = LLVM::LLVMFuncOp::create(builder, source.getName(), type);
  target->setAttr("nvvm.kernel", builder.getUnitAttr());
  for (auto [i, parameter] : llvm::enumerate(parameters))
    if (parameter.isMap) {
      Type bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), 128);
      target.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(bytes));
      target.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(), builder.getI64IntegerAttr(64));
      target.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(), builder.getUnitAttr());
    }
  int64_t threads = (warps + (roles ? roles.getLoadWarps() : 0)) * 32;
  target->setAttr("nvvm.reqntid", builder.getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));
  if (roles) { // without it the assembler does not honour setmaxnreg
    target->setAttr("nvvm.minctasm", builder.getI32IntegerAttr(1));
  } else if (module->hasAttr(targetAttrName)) {
    // Left to itself the assembler spills a little to make room for one more program, or for the last register: it
    // keeps none back to move things with.
    if (FailureOr<Target> chip = targetOf(module); succeeded(chip)) {
      int64_t registers = std::min(chip->registersPerThread - 1, chip->registersPerSm / threads);
      target->setAttr("nvvm.maxnreg", builder.getI32IntegerAttr(registers));
    }
  }
  target->setAttr("attn.parameters", builder.getArrayAttr(texts));
  target->setAttr("attn.arguments", describeArguments());
  for (StringRef name : {"attn.unaligned", "attn.lengths", "attn.facts", "attn.step", "attn.kernel"})
    if (Attribute attribute = source->getAttr(name))
      target->setAttr(name, attribute);
  target->setAttr("attn.block", builder.getI64IntegerAttr(threads));
  builder.setInsertionPointToStart(target.addEntryBlock(builder));
}

void TileLowering::readGeometry() {
  // With effects, so that it is not taken for the same value as an earlier reading.
  thread = ptx("mov.u32 $0, %tid.x;", "=r", builder.getI32Type(), {}, /*effects=*/true);
  lane = arith::AndIOp::create(builder, thread, i32(31));
  warp = arith::ShRUIOp::create(builder, thread, i32(5));
  group = arith::ShRUIOp::create(builder, lane, i32(2));
  quadColumn = arith::ShLIOp::create(builder, arith::AndIOp::create(builder, lane, i32(3)), i32(1));
}

void TileLowering::createGeometry() {
  readGeometry();
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 3);
  Value base = LLVM::AddressOfOp::create(builder, pointer, sharedMemory(builder, module).getSymName());
  sharedBase = LLVM::PtrToIntOp::create(builder, builder.getI32Type(), base);
  topPoint = i32(0).getDefiningOp();
}

Value TileLowering::once(StringRef key, llvm::function_ref<Value()> create) {
  Value &value = computedOnce[key];
  if (!value) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(topPoint);
    value = create();
  }
  return value;
}

LogicalResult TileLowering::run() {
  collectParameters();
  createFunction();
  createGeometry();
  for (BlockArgument argument : source.getArguments()) {
    if (isa<MemRefType>(argument.getType()))
      continue;
    Value value = target.getArgument(parameterIndex.lookup(("scalar " + argumentName(argument)).str()));
    scalars[argument] = value; // an index stays 64-bit here: only score and mask functions read it
  }
  if (failed(lowerBlock(source.getBody().front())))
    return failure();
  builder.setInsertionPointToEnd(&target.getBody().back());
  LLVM::ReturnOp::create(builder, ValueRange());
  target->setAttr("attn.shared", builder.getI64IntegerAttr(sharedBytes));
  return success();
}

LogicalResult TileLowering::lowerBlock(Block &block) {
  for (Operation &op : block.without_terminator()) {
    builder.setLoc(op.getLoc());
    if (failed(lowerOp(op)))
      return failure();
  }
  return success();
}

LogicalResult TileLowering::lowerOp(Operation &op) {
  auto isTile = [](Type type) { return isa<RankedTensorType>(type); };
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<ViewOp, GatherOp>([&](auto op) { return lowerView(op); })
      .Case<WorkspaceOp>([&](auto op) { return lowerWorkspace(op); })
      .Case<ColumnsOp>([&](auto op) { return lowerColumns(op); })
      .Case<AbsentOp>([](auto) { return success(); })
      .Case<memref::DimOp>([&](auto op) {
        return scalars[op.getResult()] = sizeParameter(op.getSource(), *op.getConstantIndex()), success();
      })
      .Case<ProgramOp>([&](auto op) { return lowerProgram(op); })
      .Case<LeaveOp>([&](auto op) { return lowerLeave(op); })
      .Case<LocateOp, HeldOp>([&](auto op) { return lowerList(op); })
      .Case<WorkerOp>([&](auto op) { return lowerWorker(op); })
      .Case<ExtentOp>([&](auto op) { return scalars[op.getLength()] = view(op.getView()).length, success(); })
      .Case<RingOp>([&](auto op) { return lowerRing(op); })
      .Case<FillOp>([&](auto op) { return lowerFill(op); })
      .Case<AwaitOp>([&](auto op) { return lowerAwait(op); })
      .Case<StoreOp>([&](auto op) { return lowerStore(op); })
      .Case<LoadOp>([&](auto op) { return lowerLoad(op); })
      .Case<ReleaseOp>([&](auto op) { return lowerRelease(op); })
      .Case<RolesOp>([&](auto op) { return lowerRoles(op); })
      .Case<BlankOp>([&](auto op) { return lowerBlank(op); })
      .Case<TakeTurnOp, PassTurnOp, BeginNextOp, AwaitPreviousOp>([&](auto op) { return lowerSignal(op); })
      .Case<DotOp>([&](auto op) { return roles ? lowerWarpgroupDot(op) : lowerDot(op); })
      .Case<DotStartOp>([&](auto op) { return lowerDotStart(op); })
      .Case<DotWaitOp>([&](auto op) { return lowerDotWait(op); })
      .Case<ReduceOp>([&](auto op) { return lowerReduce(op); })
      .Case<BroadcastOp>([&](auto op) { return lowerBroadcast(op); })
      .Case<ConvertOp>([&](auto op) { return lowerConvert(op); })
      .Case<ApplyOp>([&](auto op) { return lowerApply(op); })
      .Case<MaskOp>([&](auto op) { return lowerMask(op); })
      .Case<CollectOp, EachOp, MarkOp, CommonOp, CountOp, EntryOp, RunOp, MemberOp, PlaceOp, FirstAboveOp, ExtremesOp>(
          [&](Operation *op) { return lowerListOp(op); })
      .Case<ClearOp, TallyOp, SettleOp, SelectOp>([&](Operation *op) { return lowerSums(op); })
      .Case<scf::ForOp, scf::IfOp, scf::WhileOp>([&](Operation *op) { return lowerControl(op); })
      .Case<memref::LoadOp>([&](auto op) { return lowerScalarLoad(op); })
      .Default([&](Operation *op) -> LogicalResult {
        if (op->getNumResults() == 1 && isTile(op->getResult(0).getType())) {
          if (auto constant = dyn_cast<arith::ConstantOp>(op))
            return lowerConstant(constant);
          if (op->getDialect()->getNamespace() == "arith" || op->getDialect()->getNamespace() == "math")
            return lowerElementwise(*op);
        }
        if (op->getNumResults() == 1 && (op->getDialect()->getNamespace() == "arith" || isa<math::CtPopOp>(op)))
          return lowerScalar(*op);
        return op->emitOpError("has no lowering to threads");
      });
}

LogicalResult TileLowering::lowerScalar(Operation &op) {
  Value result = op.getResult(0);
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto integer = dyn_cast<IntegerAttr>(constant.getValue());
    scalars[result] = isa<IndexType>(result.getType())
                          ? i32(integer.getInt())
                          : arith::ConstantOp::create(builder, cast<TypedAttr>(constant.getValue())).getResult();
    return success();
  }
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(scalars.lookup(operand));
  // Sizes and positions are 32-bit here; an argument of the user's may be wider and is clamped before it gets here.
  if (auto cast = dyn_cast<arith::IndexCastOp>(op)) {
    Type from = operands[0].getType(), to = scalarType(cast.getType());
    Value value = operands[0];
    if (from.getIntOrFloatBitWidth() > to.getIntOrFloatBitWidth())
      value = arith::TruncIOp::create(builder, to, value);
    else if (from != to)
      value = arith::ExtSIOp::create(builder, to, value);
    scalars[result] = value;
    return success();
  }
  bool wide = llvm::any_of(operands, [](Value v) { return v.getType().isInteger(64); });
  if (wide)
    for (Value &operand : operands)
      if (operand.getType().isInteger(32))
        operand = arith::ExtSIOp::create(builder, builder.getI64Type(), operand);
  if (isa<arith::FloorDivSIOp>(op)) {
    scalars[result] = floorDivide(builder, operands[0], operands[1]);
    return success();
  }
  if (isa<arith::CeilDivUIOp, arith::CeilDivSIOp>(op)) {
    // What is divided here is a size or a position: -floor(-a / b) does not overflow.
    Value zero = arith::ConstantOp::create(builder, builder.getIntegerAttr(operands[0].getType(), 0));
    Value down = floorDivide(builder, arith::SubIOp::create(builder, zero, operands[0]), operands[1]);
    scalars[result] = arith::SubIOp::create(builder, zero, down);
    return success();
  }
  Type type = isa<arith::CmpIOp>(op) ? result.getType() : wide ? builder.getI64Type() : scalarType(result.getType());
  OperationState state(op.getLoc(), op.getName(), operands, {type}, op.getAttrs());
  scalars[result] = builder.create(state)->getResult(0);
  return success();
}

/// The linear program number becomes coordinates, the first varying fastest.
LogicalResult TileLowering::lowerProgram(ProgramOp op) {
  Value rest = NVVM::BlockIdXOp::create(builder, builder.getI32Type());
  std::string grid;
  for (auto [i, extent] : llvm::enumerate(op.getExtents())) {
    grid += (i ? " * " : "") + describe(extent);
    if (i + 1 == op.getExtents().size()) {
      scalars[op.getIds()[i]] = rest;
      break;
    }
    // Programs are fewer than 2^31, and every extent is at least 1 when one runs.
    scalars[op.getIds()[i]] = arith::RemUIOp::create(builder, rest, scalar(extent));
    rest = arith::DivUIOp::create(builder, rest, scalar(extent));
  }
  target->setAttr("attn.grid", builder.getStringAttr(grid));
  return success();
}

/// All threads leave or none do, so no barrier waits for some of them.
LogicalResult TileLowering::lowerLeave(LeaveOp op) {
  ptx("@$0 exit;", "b", Type(), scalar(op.getCondition()), /*effects=*/true);
  return success();
}

LogicalResult TileLowering::lowerSignal(BeginNextOp) {
  ptxEffect("griddepcontrol.launch_dependents;", "~{memory}", {});
  return success();
}

LogicalResult TileLowering::lowerSignal(AwaitPreviousOp) {
  ptxEffect("griddepcontrol.wait;", "~{memory}", {});
  target->setAttr("attn.early", builder.getUnitAttr());
  return success();
}

LogicalResult TileLowering::lowerScalarLoad(memref::LoadOp op) {
  Value address = pointerParameter(op.getMemref());
  int64_t bytes = std::max<int64_t>(1, op.getMemRefType().getElementTypeBitWidth() / 8);
  for (auto [dimension, index] : llvm::enumerate(op.getIndices())) {
    Value wide = scalar(index);
    if (!wide.getType().isInteger(64))
      wide = arith::ExtSIOp::create(builder, builder.getI64Type(), wide);
    Value elements = arith::MulIOp::create(builder, wide, strideParameter(op.getMemref(), dimension));
    address = byteOffset(address, arith::MulIOp::create(builder, elements, i64(bytes)));
  }
  scalars[op.getResult()] = LLVM::LoadOp::create(builder, op.getType(), address, bytes);
  return success();
}

/// The registers and scalars of values, one after another.
Registers TileLowering::flatten(ValueRange values) {
  Registers all;
  for (Value value : values) {
    if (isa<RankedTensorType>(value.getType()))
      llvm::append_range(all, registers(value));
    else
      all.push_back(scalar(value));
  }
  return all;
}

/// The inverse: from here on these are the registers and scalars of the values.
void TileLowering::bind(ValueRange values, ValueRange from) {
  for (Value value : values) {
    if (auto type = dyn_cast<RankedTensorType>(value.getType())) {
      int64_t count = registersOf(type);
      tiles[value] = Registers(from.begin(), from.begin() + count);
      from = from.drop_front(count);
    } else {
      scalars[value] = from.front();
      from = from.drop_front();
    }
  }
}

LogicalResult TileLowering::lowerIf(scf::IfOp branch) {
  SmallVector<Type> types;
  for (Type type : branch.getResultTypes()) {
    auto tile = dyn_cast<RankedTensorType>(type);
    if (!tile)
      types.push_back(scalarType(type));
    else if (tile.getElementTypeBitWidth() == 16)
      types.append(attn::tile::registersOf(tile), builder.getI32Type());
    else
      types.append(attn::tile::registersOf(tile), tile.getElementType());
  }
  bool withElse = !branch.getElseRegion().empty();
  auto lowered = scf::IfOp::create(builder, types, scalar(branch.getCondition()), withElse);
  OpBuilder::InsertionGuard guard(builder);
  auto lowerInto = [&](Region &from, Region &to) -> LogicalResult {
    if (from.empty())
      return success();
    if (to.front().mightHaveTerminator())
      builder.setInsertionPoint(to.front().getTerminator());
    else
      builder.setInsertionPointToStart(&to.front());
    if (failed(lowerBlock(from.front())))
      return failure();
    if (!types.empty())
      scf::YieldOp::create(builder, flatten(from.front().getTerminator()->getOperands()));
    return success();
  };
  if (failed(lowerInto(branch.getThenRegion(), lowered.getThenRegion())) ||
      failed(lowerInto(branch.getElseRegion(), lowered.getElseRegion())))
    return failure();
  bind(branch.getResults(), lowered.getResults());
  return success();
}

LogicalResult TileLowering::lowerControl(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](scf::ForOp op) { return lowerFor(op); })
      .Case([&](scf::IfOp op) { return lowerIf(op); })
      .Case([&](scf::WhileOp op) { return lowerWhile(op); });
}

/// `while` as split-loops writes it: a condition on scalars in front of each round.
LogicalResult TileLowering::lowerWhile(scf::WhileOp loop) {
  SmallVector<Value> inits = flatten(loop.getInits());
  SmallVector<Type> types(ValueRange(inits).getTypes());
  SmallVector<Location> places(types.size(), builder.getLoc());
  auto rounds = scf::WhileOp::create(builder, types, inits);
  OpBuilder::InsertionGuard guard(builder);
  Block *before = builder.createBlock(&rounds.getBefore(), {}, types, places);
  bind(loop.getBeforeArguments(), before->getArguments());
  if (failed(lowerBlock(loop.getBefore().front())))
    return failure();
  scf::ConditionOp::create(builder, scalar(loop.getConditionOp().getCondition()), before->getArguments());
  Block *after = builder.createBlock(&rounds.getAfter(), {}, types, places);
  bind(loop.getAfterArguments(), after->getArguments());
  if (failed(lowerBlock(loop.getAfter().front())))
    return failure();
  scf::YieldOp::create(builder, flatten(loop.getYieldOp().getOperands()));
  bind(loop.getResults(), rounds.getResults());
  return success();
}

/// `for` becomes `if (from < to) do body while (++t < to)`: the label of the body is then passed once a step.
LogicalResult TileLowering::lowerFor(scf::ForOp loop) {
  SmallVector<Value> inits{scalar(loop.getLowerBound())};
  llvm::append_range(inits, flatten(loop.getInitArgs()));
  TypeRange types = ValueRange(inits).getTypes();
  Value to = scalar(loop.getUpperBound());
  OpBuilder::InsertionGuard guard(builder);
  scf::IfOp guarded;
  if (!isOverItems(loop)) { // a program that is started has an item
    Value any = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, inits[0], to);
    guarded = scf::IfOp::create(builder, types, any, /*withElse=*/true);
    builder.setInsertionPointToStart(&guarded.getElseRegion().front());
    scf::YieldOp::create(builder, inits);
    builder.setInsertionPointToStart(&guarded.getThenRegion().front());
  }
  Value outer[] = {thread, lane, warp, group, quadColumn};
  readGeometry();
  auto repeated = scf::WhileOp::create(builder, types, inits);
  if (guarded)
    scf::YieldOp::create(builder, repeated.getResults());

  SmallVector<Location> places(types.size(), builder.getLoc());
  Block *body = builder.createBlock(&repeated.getBefore(), {}, types, places);
  scalars[loop.getInductionVar()] = body->getArgument(0);
  bind(loop.getRegionIterArgs(), body->getArguments().drop_front());
  if (auto part = loop->getAttrOfType<StringAttr>("tile.part"))
    ptxEffect(("// part " + part.getValue()).str(), "", {}); // names the label of this block
  if (failed(lowerBlock(*loop.getBody())))
    return failure();
  Value next = arith::AddIOp::create(builder, body->getArgument(0), scalar(loop.getStep()));
  SmallVector<Value> yielded{next};
  llvm::append_range(yielded, flatten(loop.getYieldedValues()));
  Value more = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, next, to);
  scf::ConditionOp::create(builder, more, yielded);
  Block *after = builder.createBlock(&repeated.getAfter(), {}, types, places);
  scf::YieldOp::create(builder, after->getArguments());
  bind(loop.getResults(), (guarded ? guarded->getResults() : repeated->getResults()).drop_front());
  std::tie(thread, lane, warp, group, quadColumn) = std::tie(outer[0], outer[1], outer[2], outer[3], outer[4]);
  return success();
}

} // namespace tile

namespace {
struct ConvertTileToGpu : impl::ConvertTileToGpuBase<ConvertTileToGpu> {
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect, scf::SCFDialect, LLVM::LLVMDialect, NVVM::NVVMDialect>();
  }
  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels, others;
    for (auto function : getOperation().getOps<func::FuncOp>())
      (function->hasAttr("tile.warps") ? kernels : others).push_back(function);
    for (func::FuncOp kernel : kernels)
      if (failed(tile::TileLowering(kernel, getOperation()).run()))
        return signalPassFailure();
    for (func::FuncOp function : llvm::concat<func::FuncOp>(kernels, others))
      function.erase();
  }
};
} // namespace
} // namespace attn
