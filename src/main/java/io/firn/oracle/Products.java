package io.firn.oracle;

/** Matrix products over slices of arrays, with inner loops that the JIT compiler turns into vector instructions. */
final class Products {
    private Products() {
    }

    /** A matrix in row-major order, or its transpose, that begins at {@code at}. */
    record Slice(double[] data, int at, int rowStride, int columnStride) {

        static Slice rows(double[] data, int at, int columns) {
            return new Slice(data, at, columns, 1);
        }

        Slice transposed() {
            return new Slice(data, at, columnStride, rowStride);
        }
    }

    /** c[m,n] += a[m,k] · b[k,n], where the rows of b and c are contiguous: four rows of b at a time. */
    static void addProduct(int m, int k, int n, Slice a, double[] b, int bAt, double[] c, int cAt) {
        double[] ad = a.data;
        for (int i = 0; i < m; i++) {
            int row = cAt + i * n;
            int p = 0;
            for (; p + 4 <= k; p += 4) {
                int at = a.at + i * a.rowStride + p * a.columnStride;
                double a0 = ad[at];
                double a1 = ad[at + a.columnStride];
                double a2 = ad[at + 2 * a.columnStride];
                double a3 = ad[at + 3 * a.columnStride];
                int from = bAt + p * n;
                for (int j = 0; j < n; j++) {
                    c[row + j] += a0 * b[from + j] + a1 * b[from + n + j] + a2 * b[from + 2 * n + j]
                            + a3 * b[from + 3 * n + j];
                }
            }
            for (; p < k; p++) {
                double a0 = ad[a.at + i * a.rowStride + p * a.columnStride];
                for (int j = 0; j < n; j++) {
                    c[row + j] += a0 * b[bAt + p * n + j];
                }
            }
        }
    }

    /** c[m,n] += a[m,k] · b[n,k]ᵀ, all rows contiguous: four dot products at a time. */
    static void addProductTransposed(int m, int k, int n, double[] a, int aAt, double[] b, int bAt, double[] c,
                                     int cAt) {
        for (int i = 0; i < m; i++) {
            int row = aAt + i * k;
            int j = 0;
            for (; j + 4 <= n; j += 4) {
                int from = bAt + j * k;
                double s0 = 0;
                double s1 = 0;
                double s2 = 0;
                double s3 = 0;
                for (int p = 0; p < k; p++) {
                    double x = a[row + p];
                    s0 += x * b[from + p];
                    s1 += x * b[from + k + p];
                    s2 += x * b[from + 2 * k + p];
                    s3 += x * b[from + 3 * k + p];
                }
                int to = cAt + i * n + j;
                c[to] += s0;
                c[to + 1] += s1;
                c[to + 2] += s2;
                c[to + 3] += s3;
            }
            for (; j < n; j++) {
                double sum = 0;
                for (int p = 0; p < k; p++) {
                    sum += a[row + p] * b[bAt + j * k + p];
                }
                c[cAt + i * n + j] += sum;
            }
        }
    }
}
