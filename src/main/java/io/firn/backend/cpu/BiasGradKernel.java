package io.firn.backend.cpu;

import java.util.Arrays;

/** The gradient of a product's bias: the sum over the batch of dy [N, O], in double precision. */
final class BiasGradKernel implements Runnable {
    private final Tensor dy;
    private final Tensor db;
    private final double[] sums;

    BiasGradKernel(Tensor dy, Tensor db) {
        this.dy = dy;
        this.db = db;
        sums = new double[dy.type().shape().c()];
    }

    @Override
    public void run() {
        Arrays.fill(sums, 0);
        for (int n = 0; n < dy.type().shape().n(); n++) {
            long row = dy.address() + 4L * n * sums.length;
            for (int o = 0; o < sums.length; o++) {
                sums[o] += Native.getFloat(row + 4L * o);
            }
        }
        for (int o = 0; o < sums.length; o++) {
            Native.putFloat(db.address() + 4L * o, (float) sums[o]);
        }
    }
}
