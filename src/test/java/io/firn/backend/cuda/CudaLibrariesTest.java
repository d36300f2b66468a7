package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Finding NVIDIA's libraries, by files that the test lays out and by those of this machine. */
class CudaLibrariesTest {
    @TempDir
    Path folder;

    @Test
    void aLibraryThatIsNoneIsRefusedAndNamed() throws IOException {
        Path lib = Files.createDirectories(folder.resolve("nvidia/cu13/lib"));
        Files.writeString(lib.resolve("libnccl.so.2"), "not a library");
        var nccl = CudaLibraries.find(Map.of(CudaPlaces.LIBRARIES, folder.toString())).entry(CudaLibrary.NCCL);
        assumeTrue(nccl.path().isEmpty(), "NCCL is on this machine");
        assertThat(nccl.problem()).contains(lib + "/libnccl.so.2: is no library")
                .endsWith("pip install nvidia-nccl-cu13 (only for several GPUs)");
    }

    @Test
    void cuda12IsRefusedByName() throws IOException {
        Path cuda12 = Files.createDirectories(folder.resolve("lib/python3.11/site-packages/nvidia/cublas/lib"));
        Files.writeString(cuda12.resolve("libcublasLt.so.12"), "");
        var cublas = CudaLibraries.find(Map.of("VIRTUAL_ENV", folder.toString())).entry(CudaLibrary.CUBLAS_LT);
        assertThat(cublas.path().isPresent() || cublas.problem().equals(cuda12
                + "/libcublasLt.so.12 is of CUDA 12, and Firn needs CUDA 13 (libcublasLt.so.13); pip install nvidia-cublas"))
                .as(cublas.toString()).isTrue();
        Path lib = Files.createDirectories(folder.resolve("lib/python3.11/site-packages/nvidia/nccl/lib"));
        Files.writeString(lib.resolve("libnccl.so.1"), "");
        var nccl = CudaLibraries.find(Map.of("VIRTUAL_ENV", folder.toString())).entry(CudaLibrary.NCCL);
        assumeTrue(nccl.path().isEmpty(), "NCCL is on this machine");
        assertThat(nccl.problem()).startsWith(lib + "/libnccl.so.1 is of another version than Firn needs (libnccl.so.2)");
    }

    /** A cuDNN has the same name whichever CUDA it is made for. */
    @Test
    void aCudnnOfCuda12IsRefused() throws Exception {
        CudaFixture.library("fake_cudnn12.cpp", folder, folder);
        Files.move(folder.resolve("fake_cudnn12.so"), folder.resolve("libcudnn.so.9"));
        assertThat(CudaLibrary.CUDNN.ask(folder.resolve("libcudnn.so.9"))).isEqualTo(
                new CudaLibrary.Answer("9.24.0", "made for CUDA 12, and Firn needs CUDA 13"));
    }

    @Test
    void environmentsComeBeforeTheSystem() throws IOException {
        Path lib = Files.createDirectories(folder.resolve("env/lib/python3.12/site-packages/nvidia/cudnn/lib"));
        Path own = Files.createDirectories(folder.resolve("own"));
        var places = new CudaPlaces(Map.of("VIRTUAL_ENV", folder.resolve("env").toString(), CudaPlaces.LIBRARIES,
                own.toString())).all();
        assertThat(places.get(0)).isEqualTo(new CudaPlaces.Place(CudaPlaces.LIBRARIES, own));
        assertThat(places.stream().filter(p -> p.folder().startsWith(folder)).map(CudaPlaces.Place::folder))
                .containsExactly(own, folder.resolve("env"), lib, folder.resolve("env/lib"));
        assertThat(places.indexOf(new CudaPlaces.Place("VIRTUAL_ENV", lib))).isEqualTo(2);
    }

    @Test
    void theHeadersFunctionsAreFound() {
        assertThat(DriverStub.functions("CUresult CUDAAPI cuFoo(int *x);\n#define cuBar cuBar_v2\nCUresult cuInit_ptsz(cuuint32_t y)"
                + "CUresult CUDAAPI cuGetProcAddress(")).containsExactlyInAnyOrder("cuFoo", "cuBar", "cuBar_v2", "cuInit_ptsz");
    }

    /** Those that were found load for planning, and each from where it was found alone. */
    @Test
    void whatIsFoundIsWhatIsLoaded() throws IOException {
        CudaLibraries found = CudaFixture.libraries();
        Set<CudaLibrary> wanted = EnumSet.of(CudaLibrary.CUDNN);
        found.loadForPlanning(wanted, CudaFixture.cache());
        assertThat(org.bytedeco.cuda.global.cudnn.cudnnGetVersion()).isGreaterThanOrEqualTo(90_800);
        assertThat(CudaDriver.probe().problem()).isNotEmpty();
        List<String> maps = Files.readAllLines(Path.of("/proc/self/maps"));
        for (CudaLibrary l : List.of(CudaLibrary.CUDART, CudaLibrary.NVRTC, CudaLibrary.CUBLAS, CudaLibrary.CUDNN)) {
            Path file = found.entry(l).path().orElseThrow().toRealPath();
            assertThat(maps.stream().filter(m -> m.contains("/" + l.stem())).map(m -> m.substring(m.indexOf('/'))).distinct())
                    .as(l.label()).containsOnly(file.toString());
        }
    }
}
