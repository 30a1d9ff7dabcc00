// SPDX-License-Identifier: Apache-2.0
// convert-gpu-to-llvm: scalars one by one, control flow by upstream's conversion.
#include "passes/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_CONVERTGPUTOLLVM
#include "passes/Passes.h.inc"

namespace {

/// Replaces an operation by that of LLVM with the same operands and result. Flags that allow more (fast math, no
/// overflow) are let go: none is needed here.
template <typename To> void rename(OpBuilder &builder, Operation *op) {
  auto renamed = To::create(builder, op->getLoc(), op->getResultTypes(), op->getOperands());
  op->replaceAllUsesWith(renamed);
  op->erase();
}

template <typename To, typename From> void renameCompare(OpBuilder &builder, Operation *op) {
  auto compare = cast<From>(op);
  // Both dialects number predicates alike, as LLVM itself does.
  using Predicate = decltype(std::declval<To>().getPredicate());
  auto predicate = static_cast<Predicate>(compare.getPredicate());
  compare.replaceAllUsesWith(
      To::create(builder, op->getLoc(), compare.getType(), predicate, compare.getLhs(), compare.getRhs()).getResult());
  op->erase();
}

void renameConstant(OpBuilder &builder, Operation *op) {
  auto constant = cast<arith::ConstantOp>(op);
  auto renamed = LLVM::ConstantOp::create(builder, op->getLoc(), constant.getType(), constant.getValue());
  constant.replaceAllUsesWith(renamed.getResult());
  op->erase();
}

/// Scalars keep their types, so what a kernel consists of needs no conversion of types: a tenth of the work of the
/// general one. What is not listed is left to that.
class ScalarNames {
public:
  ScalarNames() {
    add<arith::AddIOp, LLVM::AddOp>();
    add<arith::SubIOp, LLVM::SubOp>();
    add<arith::MulIOp, LLVM::MulOp>();
    add<arith::DivSIOp, LLVM::SDivOp>();
    add<arith::DivUIOp, LLVM::UDivOp>();
    add<arith::RemSIOp, LLVM::SRemOp>();
    add<arith::RemUIOp, LLVM::URemOp>();
    add<arith::AndIOp, LLVM::AndOp>();
    add<arith::OrIOp, LLVM::OrOp>();
    add<arith::XOrIOp, LLVM::XOrOp>();
    add<arith::ShLIOp, LLVM::ShlOp>();
    add<arith::ShRSIOp, LLVM::AShrOp>();
    add<arith::ShRUIOp, LLVM::LShrOp>();
    add<arith::MaxSIOp, LLVM::SMaxOp>();
    add<arith::MinSIOp, LLVM::SMinOp>();
    add<arith::ExtSIOp, LLVM::SExtOp>();
    add<arith::ExtUIOp, LLVM::ZExtOp>();
    add<arith::TruncIOp, LLVM::TruncOp>();
    add<arith::SIToFPOp, LLVM::SIToFPOp>();
    add<arith::SelectOp, LLVM::SelectOp>();
    add<arith::AddFOp, LLVM::FAddOp>();
    add<arith::SubFOp, LLVM::FSubOp>();
    add<arith::MulFOp, LLVM::FMulOp>();
    add<arith::NegFOp, LLVM::FNegOp>();
    add<arith::MaximumFOp, LLVM::MaximumOp>();
    add<arith::MinimumFOp, LLVM::MinimumOp>();
    add<math::FmaOp, LLVM::FMAOp>();
    add<math::AbsFOp, LLVM::FAbsOp>();
    names[TypeID::get<arith::CmpIOp>()] = renameCompare<LLVM::ICmpOp, arith::CmpIOp>;
    names[TypeID::get<arith::CmpFOp>()] = renameCompare<LLVM::FCmpOp, arith::CmpFOp>;
    names[TypeID::get<arith::ConstantOp>()] = renameConstant;
  }

  void apply(Operation *root) const {
    OpBuilder builder(root->getContext());
    root->walk([&](Operation *op) {
      auto found = names.find(op->getName().getTypeID());
      if (found == names.end() || llvm::any_of(op->getResultTypes(), [](Type type) { return !type.isIntOrFloat(); }))
        return;
      builder.setInsertionPoint(op);
      found->second(builder, op);
    });
  }

private:
  template <typename From, typename To> void add() { names[TypeID::get<From>()] = rename<To>; }
  llvm::DenseMap<TypeID, void (*)(OpBuilder &, Operation *)> names;
};

struct ConvertGpuToLlvm : impl::ConvertGpuToLlvmBase<ConvertGpuToLlvm> {
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<cf::ControlFlowDialect, LLVM::LLVMDialect>();
  }
  void runOnOperation() override {
    ScalarNames().apply(getOperation());
    LLVMTypeConverter converter(&getContext());
    RewritePatternSet patterns(&getContext());
    populateSCFToControlFlowConversionPatterns(patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    LLVMConversionTarget target(getContext());
    target.addLegalDialect<NVVM::NVVMDialect>();
    target.addLegalOp<ModuleOp>();
    if (failed(applyFullConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace attn
