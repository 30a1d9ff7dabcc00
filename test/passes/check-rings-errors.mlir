// What check-rings finds: numbers that do not count up, and roles that wait for each other.
// RUN: attn-opt %s --check-rings -split-input-file -verify-diagnostics

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>

// Both roles as they should be: three fills of two stages.
func.func @fine(%keys: !view) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    scf.for %t = %c0 to %c3 step %c1 {
      tile.fill %ring[%t] from %keys[%t] : !ring, !view
    }
  } compute warps = 8 registers = 240 {
    scf.for %t = %c0 to %c3 step %c1 {
      %k = tile.await %ring[%t] : !ring -> !tile_
      tile.release %ring[%t] : !ring
    }
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>
func.func @not_released(%keys: !view) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    scf.for %t = %c0 to %c3 step %c1 {
      tile.fill %ring[%t] from %keys[%t] : !ring, !view
    }
  } compute warps = 8 registers = 240 {
    scf.for %t = %c0 to %c3 step %c1 {
      // expected-error @below {{'tile.await' op waits for fill 2, which never begins}}
      %k = tile.await %ring[%t] : !ring -> !tile_
    }
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
func.func @not_awaited(%keys: !view) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    scf.for %t = %c0 to %c3 step %c1 {
      // expected-error @below {{'tile.fill' op waits for its stage, which is never released, with fill 2}}
      tile.fill %ring[%t] from %keys[%t] : !ring, !view
    }
  } compute warps = 8 registers = 240 {
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>
func.func @left(%keys: !view) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{expects every fill of a ring to be awaited and released, got 1 fills and 0 releases}}
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    tile.fill %ring[%c0] from %keys[%c0] : !ring, !view
  } compute warps = 8 registers = 240 {
    %k = tile.await %ring[%c0] : !ring -> !tile_
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>
func.func @counts(%keys: !view) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    // expected-error @below {{'tile.fill' op expects fill number 0, got 1}}
    tile.fill %ring[%c1] from %keys[%c0] : !ring, !view
  } compute warps = 8 registers = 240 {
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
func.func @release_first(%keys: !view) {
  %c0 = arith.constant 0 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    tile.fill %ring[%c0] from %keys[%c0] : !ring, !view
  } compute warps = 8 registers = 240 {
    // expected-error @below {{'tile.release' op releases fill 0, which was not awaited}}
    tile.release %ring[%c0] : !ring
  }
  return
}
