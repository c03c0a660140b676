;; The one sum that nearly all of a network's time goes into, in WebAssembly text.
;;
;;   out[x][k] = max(least, bias[k] + sum over taps t and channels c of
;;                                    in[x + taps[t]][c] * weights[t][c][k])
;;
;; One call makes one row of eight maps (k = 0..7).  network.js calls it for each row and each
;; eight maps, lays the memory out, and knows what a layer is.  A 3x3 convolution has nine taps,
;; one for each place in its window; a dense layer has one.
;;
;; To read this from JavaScript: (local.set $a (i32.add (local.get $b) (local.get $c))) is
;; a = b + c.  The i32 are whole numbers, here addresses, which count bytes: a float has 4.
;; A v128 is four floats that are added or multiplied at once (SIMD), so eight maps are two of
;; them, called low (maps 0..3) and high (4..7).  Four neighbouring pixels are made at a time, in
;; eight v128, because each weight that was fetched is then used four times.
(module
  (import "network" "memory" (memory 1))
  (func (export "row")
    (param $in i32)        ;; where the pixel lies that out[0] is made around
    (param $step i32)      ;; from there to the next pixel
    (param $channels i32)  ;; how many of its channels are summed
    (param $taps i32)      ;; a list of whole numbers: how far each tap is from the pixel
    (param $count i32)     ;; how many taps there are
    (param $weights i32)
    (param $bias i32)
    (param $out i32)
    (param $out_step i32)
    (param $width i32)     ;; pixels in the row, at least 4
    (param $least f32)     ;; 0 for a ReLU, else minus infinity
    (local $done i32) (local $x i32) (local $tap i32) (local $tap_end i32) (local $w i32)
    (local $in0 i32) (local $in1 i32) (local $in2 i32) (local $in3 i32) (local $end i32)
    (local $to i32) (local $floor v128) (local $value v128) (local $low v128) (local $high v128)
    (local $low0 v128) (local $low1 v128) (local $low2 v128) (local $low3 v128)
    (local $high0 v128) (local $high1 v128) (local $high2 v128) (local $high3 v128)

    (local.set $floor (f32x4.splat (local.get $least)))
    (local.set $tap_end (i32.add (local.get $taps) (i32.shl (local.get $count) (i32.const 2))))
    (loop $four_pixels
      ;; The last four end with the row, even where some of them were made before.
      (local.set $x (select
        (local.get $done)
        (i32.sub (local.get $width) (i32.const 4))
        (i32.le_s (i32.add (local.get $done) (i32.const 4)) (local.get $width))))

      (local.set $low0 (v128.load (local.get $bias)))
      (local.set $high0 (v128.load offset=16 (local.get $bias)))
      (local.set $low1 (local.get $low0)) (local.set $high1 (local.get $high0))
      (local.set $low2 (local.get $low0)) (local.set $high2 (local.get $high0))
      (local.set $low3 (local.get $low0)) (local.set $high3 (local.get $high0))

      (local.set $w (local.get $weights))
      (local.set $tap (local.get $taps))
      (loop $each_tap
        (local.set $in0 (i32.add
          (i32.add (local.get $in) (i32.load (local.get $tap)))
          (i32.mul (local.get $x) (local.get $step))))
        (local.set $in1 (i32.add (local.get $in0) (local.get $step)))
        (local.set $in2 (i32.add (local.get $in1) (local.get $step)))
        (local.set $in3 (i32.add (local.get $in2) (local.get $step)))
        (local.set $end (i32.add (local.get $in0) (i32.shl (local.get $channels) (i32.const 2))))
        (loop $each_channel
          (local.set $low (v128.load (local.get $w)))
          (local.set $high (v128.load offset=16 (local.get $w)))

          (local.set $value (v128.load32_splat (local.get $in0)))
          (local.set $low0 (f32x4.add (local.get $low0) (f32x4.mul (local.get $value) (local.get $low))))
          (local.set $high0 (f32x4.add (local.get $high0) (f32x4.mul (local.get $value) (local.get $high))))
          (local.set $value (v128.load32_splat (local.get $in1)))
          (local.set $low1 (f32x4.add (local.get $low1) (f32x4.mul (local.get $value) (local.get $low))))
          (local.set $high1 (f32x4.add (local.get $high1) (f32x4.mul (local.get $value) (local.get $high))))
          (local.set $value (v128.load32_splat (local.get $in2)))
          (local.set $low2 (f32x4.add (local.get $low2) (f32x4.mul (local.get $value) (local.get $low))))
          (local.set $high2 (f32x4.add (local.get $high2) (f32x4.mul (local.get $value) (local.get $high))))
          (local.set $value (v128.load32_splat (local.get $in3)))
          (local.set $low3 (f32x4.add (local.get $low3) (f32x4.mul (local.get $value) (local.get $low))))
          (local.set $high3 (f32x4.add (local.get $high3) (f32x4.mul (local.get $value) (local.get $high))))

          (local.set $w (i32.add (local.get $w) (i32.const 32)))
          (local.set $in1 (i32.add (local.get $in1) (i32.const 4)))
          (local.set $in2 (i32.add (local.get $in2) (i32.const 4)))
          (local.set $in3 (i32.add (local.get $in3) (i32.const 4)))
          (local.set $in0 (i32.add (local.get $in0) (i32.const 4)))
          (br_if $each_channel (i32.lt_u (local.get $in0) (local.get $end))))
        (local.set $tap (i32.add (local.get $tap) (i32.const 4)))
        (br_if $each_tap (i32.lt_u (local.get $tap) (local.get $tap_end))))

      (local.set $to (i32.add (local.get $out) (i32.mul (local.get $x) (local.get $out_step))))
      (v128.store (local.get $to) (f32x4.max (local.get $low0) (local.get $floor)))
      (v128.store offset=16 (local.get $to) (f32x4.max (local.get $high0) (local.get $floor)))
      (local.set $to (i32.add (local.get $to) (local.get $out_step)))
      (v128.store (local.get $to) (f32x4.max (local.get $low1) (local.get $floor)))
      (v128.store offset=16 (local.get $to) (f32x4.max (local.get $high1) (local.get $floor)))
      (local.set $to (i32.add (local.get $to) (local.get $out_step)))
      (v128.store (local.get $to) (f32x4.max (local.get $low2) (local.get $floor)))
      (v128.store offset=16 (local.get $to) (f32x4.max (local.get $high2) (local.get $floor)))
      (local.set $to (i32.add (local.get $to) (local.get $out_step)))
      (v128.store (local.get $to) (f32x4.max (local.get $low3) (local.get $floor)))
      (v128.store offset=16 (local.get $to) (f32x4.max (local.get $high3) (local.get $floor)))

      (local.set $done (i32.add (local.get $done) (i32.const 4)))
      (br_if $four_pixels (i32.lt_s (local.get $done) (local.get $width))))))
