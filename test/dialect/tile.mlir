// Every operation, type and encoding of the tile dialect, printed and parsed again.
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

!rows = memref<?x?x32x128xbf16, strided<[?, ?, ?, 1]>>
!view = !tile.view<128 x bf16>
#s = #tile.acc<mma_m16n8k16, warps = 4>
!in_shared = tensor<64x128xbf16, #tile.shared<swizzle = 128, slab = 64>>
!ring = !tile.ring<2 x !in_shared>

// CHECK-LABEL: func.func @wrapper
// CHECK-SAME: %[[X:[a-z0-9]+]]: index, %[[Y:[a-z0-9]+]]: index, %[[Q:[a-z0-9]+]]: memref<?x?x32x128xbf16{{.*}}, %[[L:[a-z0-9]+]]: memref<?x?x32xf32>
func.func @wrapper(%x: index, %y: index, %q: !rows, %l: memref<?x?x32xf32>, %s: tensor<128xf32>) -> index {
  // CHECK: %[[P:.*]]:2 = tile.program %[[X]], %[[Y]]
  %a, %b = tile.program %x, %y
  // CHECK: tile.program {grid = "flat"}
  tile.program {grid = "flat"}
  // CHECK: %[[V:.*]] = tile.view %[[Q]][%[[P]]#0, %[[P]]#1] length %[[X]] : memref<?x?x32x128xbf16, strided<[?, ?, ?, 1]>> -> <128 x bf16>
  %v = tile.view %q[%a, %b] length %x : !rows -> !view
  // CHECK: tile.view %[[Q]][%[[P]]#0, %[[P]]#1] length %[[X]] position %[[Y]] : {{.*}} -> <128 x bf16>
  %w = tile.view %q[%a, %b] length %x position %y : !rows -> !view
  // CHECK: tile.view %[[L]][%[[P]]#0, %[[P]]#1] length %[[X]] : memref<?x?x32xf32> -> <1 x f32>
  %one_column = tile.view %l[%a, %b] length %x : memref<?x?x32xf32> -> !tile.view<1 x f32>
  // CHECK: %[[NONE:.*]] = tile.absent : <1 x f32>
  %none = tile.absent : !tile.view<1 x f32>
  // CHECK: tile.store %{{.*}}, %[[NONE]][%[[X]]] : tensor<128xf32>, <1 x f32>
  tile.store %s, %none[%x] : tensor<128xf32>, !tile.view<1 x f32>
  // CHECK: %[[N:.*]] = tile.extent %[[V]] : <128 x bf16>
  %n = tile.extent %v : !view
  // CHECK: return %[[N]]
  return %n : index
}

func.func private @score(f32, index, index, index, index, index, index, f32) -> f32
func.func private @sink(f32, index, index, index, index) -> f32
func.func private @visible(index, index, index, index, index, index, index) -> i1
func.func private @in_bounds(index, index, index, index, index, index) -> i1

// CHECK-LABEL: func.func @schedule
func.func @schedule(%query: !view, %keys: !view, %row: index, %n: index, %c: f32, %w: index,
                    %m0: tensor<128xf32>, %acc0: tensor<128x128xf32>) {
  %zero = arith.constant 0 : index
  // CHECK: %[[QT:.*]] = tile.load %[[QUERY:.*]][%[[ROW:.*]]] : <128 x bf16> -> tensor<128x128xbf16>
  %q = tile.load %query[%row] : !view -> tensor<128x128xbf16>
  // CHECK: tile.walk %[[COL:.*]] in %[[KEYS:.*]][%{{.*}} to %{{.*}}] step 64 iter_args(%[[M:.*]] = %{{.*}}, %[[ACC:.*]] = %{{.*}}) : !tile.view<128 x bf16> -> (tensor<128xf32>, tensor<128x128xf32>) {
  %m, %acc = tile.walk %col in %keys[%zero to %n] step 64 iter_args(%m_i = %m0, %acc_i = %acc0)
      : !view -> (tensor<128xf32>, tensor<128x128xf32>) {
    %k = tile.load %keys[%col] : !view -> tensor<64x128xbf16>
    // CHECK: %[[RAW:.*]] = tile.dot %[[QT]], trans_b %{{.*}} : tensor<128x128xbf16>, tensor<64x128xbf16> -> tensor<128x64xf32>
    %raw = tile.dot %q, trans_b %k : tensor<128x128xbf16>, tensor<64x128xbf16> -> tensor<128x64xf32>
    // CHECK: tile.apply @score(%{{.*}} : f32) to %[[RAW]] rows %[[QUERY]][%[[ROW]]] cols %[[KEYS]][%[[COL]]] : tensor<128x64xf32> rows <128 x bf16> cols !tile.view<128 x bf16>
    %t = tile.apply @score(%c : f32) to %raw rows %query[%row] cols %keys[%col] : tensor<128x64xf32> rows !view cols !view
    // CHECK: tile.mask %{{.*}} by [@visible, @in_bounds](%{{.*}} : index) rows %[[QUERY]][%[[ROW]]] cols %[[KEYS]][%[[COL]]] : tensor<128x64xf32>, <128 x bf16>, <128 x bf16>
    %h = tile.mask %t by [@visible, @in_bounds](%w : index) rows %query[%row] cols %keys[%col] : tensor<128x64xf32>, !view, !view
    // CHECK: tile.mask %{{.*}} by [@in_bounds] rows {{.*}} unless %[[COL]] in[%{{.*}} to %{{.*}}] : tensor<128x64xf32>
    %s = tile.mask %h by [@in_bounds] rows %query[%row] cols %keys[%col] unless %col in [%zero to %n] : tensor<128x64xf32>, !view, !view
    // CHECK: tile.reduce max %{{.*}} into %[[M]] : tensor<128x64xf32>, tensor<128xf32>
    %m_n = tile.reduce max %s into %m_i : tensor<128x64xf32>, tensor<128xf32>
    // CHECK: tile.reduce add
    %sum = tile.reduce add %s into %m_n : tensor<128x64xf32>, tensor<128xf32>
    // CHECK: tile.apply @sink to %{{.*}} rows %[[QUERY]][%[[ROW]]] : tensor<128xf32> rows <128 x bf16>{{$}}
    %per_row = tile.apply @sink to %sum rows %query[%row] : tensor<128xf32> rows !view
    // CHECK: tile.broadcast %{{.*}} : tensor<128xf32> -> tensor<128x64xf32>
    %spread = tile.broadcast %per_row : tensor<128xf32> -> tensor<128x64xf32>
    %p = arith.truncf %spread : tensor<128x64xf32> to tensor<128x64xbf16>
    // CHECK: tile.dot %{{.*}}, %{{.*}} into %[[ACC]] : tensor<128x128xf32>, tensor<128x64xbf16>, tensor<64x128xbf16> -> tensor<128x128xf32>
    %acc_n = tile.dot %p, %k into %acc_i : tensor<128x128xf32>, tensor<128x64xbf16>, tensor<64x128xbf16> -> tensor<128x128xf32>
    // CHECK: tile.yield %{{.*}}, %{{.*}} : tensor<128xf32>, tensor<128x128xf32>
    tile.yield %m_n, %acc_n : tensor<128xf32>, tensor<128x128xf32>
  }
  // CHECK: tile.walk %{{.*}} in %{{.*}} step 32 iter_args() : !tile.view<128 x bf16> -> () {
  // CHECK-NEXT: tile.yield
  // CHECK-NEXT: } {note = "nothing is carried"}
  tile.walk %col in %keys[%zero to %n] step 32 iter_args() : !view -> () {
    tile.yield
  } {note = "nothing is carried"}
  return
}

// CHECK-LABEL: func.func @passes
func.func @passes(%keys: !view, %n: index, %col: index, %more: i1, %p: tensor<64x64xbf16, #s>,
                  %l: tensor<64xf32, #tile.slice<1 of #s, partial = true>>) {
  // CHECK: %[[RING:.*]] = tile.ring : <2 x tensor<64x128xbf16, #tile.shared<swizzle = 128, slab = 64>>>
  %ring = tile.ring : !ring
  // CHECK: tile.fill %[[RING]][%[[N:.*]]] from %[[KEYS:.*]][%[[COL:.*]]] : <2 x tensor<64x128xbf16, {{.*}}>>, <128 x bf16>
  tile.fill %ring[%n] from %keys[%col] : !ring, !view
  // CHECK: tile.fill %[[RING]][%[[N]]] from %[[KEYS]][%[[COL]]] when %{{.*}} : <2 x
  tile.fill %ring[%n] from %keys[%col] when %more : !ring, !view
  // CHECK: tile.await %[[RING]][%[[N]]] : <2 x
  %k = tile.await %ring[%n] : !ring -> !in_shared
  // CHECK: tile.await %[[RING]][%[[N]]] leaving 3 : <2 x
  %again = tile.await %ring[%n] leaving 3 : !ring -> !in_shared
  // CHECK: tile.release %[[RING]][%[[N]]] : <2 x
  tile.release %ring[%n] : !ring
  // CHECK: tile.convert %{{.*}} : tensor<64x64xbf16, #tile.acc<mma_m16n8k16, warps = 4>> -> tensor<64x64xbf16, #tile.operand<0 of <mma_m16n8k16, warps = 4>>>
  %a = tile.convert %p : tensor<64x64xbf16, #s> -> tensor<64x64xbf16, #tile.operand<0 of #s>>
  // CHECK: tile.convert %{{.*}} : tensor<64xf32, #tile.slice<1 of <mma_m16n8k16, warps = 4>, partial = true>> -> tensor<64xf32, #tile.slice<1 of <mma_m16n8k16, warps = 4>>>
  %all = tile.convert %l : tensor<64xf32, #tile.slice<1 of #s, partial = true>> -> tensor<64xf32, #tile.slice<1 of #s>>
  return
}

// CHECK-LABEL: func.func @workspace
func.func @workspace(%n: index, %row: index) {
  // CHECK: %[[W:.*]] = tile.workspace[%[[N:.*]]] sizes %[[N]], %[[N]] : memref<?x?x4x64xf32>
  %w = tile.workspace[%n] sizes %n, %n : memref<?x?x4x64xf32>
  // CHECK: tile.workspace[%[[N]]] : memref<8x4xf32>
  %fixed = tile.workspace[%n] : memref<8x4xf32>
  // CHECK: %[[V:.*]] = tile.view %[[W]]
  %v = tile.view %w[%n, %n] length %n : memref<?x?x4x64xf32> -> !tile.view<64 x f32>
  // CHECK: tile.columns %[[V]][%[[N]]] : <64 x f32> -> <32 x f32>
  %c = tile.columns %v[%n] : !tile.view<64 x f32> -> !tile.view<32 x f32>
  %f = tile.view %w[%n, %n] length %n : memref<?x?x4x64xf32> -> !tile.view<64 x f32>
  // CHECK: tile.load %{{.*}}[%{{.*}}] otherwise -1.000000e+00 : <64 x f32>
  %t = tile.load %f[%row] otherwise -1.0 : !tile.view<64 x f32> -> tensor<16xf32>
  return
}
