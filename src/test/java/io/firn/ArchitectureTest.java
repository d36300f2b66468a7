package io.firn;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.conditions.ArchConditions.be;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One way only: a package knows those to its left, and no others. */
class ArchitectureTest {
    private static final String ROOT = "io.firn";

    /** Each package with those of Firn's that it may use; itself and {@code error} it always may. */
    private static final Map<String, Set<String>> KNOWS = new LinkedHashMap<>();

    static {
        KNOWS.put("error", Set.of());
        KNOWS.put("files", Set.of());
        KNOWS.put("graph", Set.of());
        KNOWS.put("models", Set.of("graph"));
        KNOWS.put("weights", Set.of("files", "graph"));
        KNOWS.put("plan", Set.of("graph"));
        KNOWS.put("oracle", Set.of("graph", "plan"));
        // What a plan is made of is graph's types.
        KNOWS.put("backend", Set.of("graph", "plan"));
        KNOWS.put("backend.cpu", Set.of("graph", "plan", "backend"));
        KNOWS.put("backend.cuda.cudnn", Set.of("files", "graph", "plan"));
        KNOWS.put("backend.cuda.kernels", Set.of("files", "graph", "plan"));
        KNOWS.put("backend.cuda", Set.of("graph", "plan", "backend", "backend.cuda.cudnn", "backend.cuda.kernels"));
        KNOWS.put("data", Set.of("graph"));
        KNOWS.put("report", Set.of());
        KNOWS.put("bundle", Set.of());
        for (String name : List.of("train", "finetune", "study", "cluster")) {
            KNOWS.put(name, new LinkedHashSet<>(KNOWS.keySet()));
        }
        Set<String> all = new LinkedHashSet<>(KNOWS.keySet());
        KNOWS.put("nd4j", all);
        KNOWS.put("cli", all);
    }

    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS).importPackages(ROOT);

    static Set<String> packages() {
        return KNOWS.keySet();
    }

    @ParameterizedTest
    @MethodSource("packages")
    void aPackageKnowsThoseToItsLeft(String name) {
        var itself = classesOf(name);
        DescribedPredicate<JavaClass> allowed = itself.or(classesOf("error"));
        for (String known : KNOWS.get(name)) {
            allowed = allowed.or(classesOf(known));
        }
        if (name.equals("cli")) {
            allowed = allowed.or(facade());
        }
        DescribedPredicate<JavaClass> forbidden = resideInAPackage(ROOT + "..").and(DescribedPredicate.not(allowed));
        noClasses().that(itself).should().dependOnClassesThat(forbidden)
                .because("%s knows only %s".formatted(name, KNOWS.get(name))).allowEmptyShould(true).check(CLASSES);
    }

    @Test
    void theFacadeDoesNotKnowTheCommandLine() {
        noClasses().that(facade()).should().dependOnClassesThat(resideInAPackage(ROOT + ".cli.."))
                .allowEmptyShould(true).check(CLASSES);
    }

    @Test
    void everyPackageHasItsPlaceInTheOrder() {
        var described = resideInAnyPackage(KNOWS.keySet().stream().map(p -> ROOT + "." + p + "..").toArray(String[]::new));
        classes().should().resideInAnyPackage(ROOT, ROOT + "..").andShould(
                be(described.or(facade()))).check(CLASSES);
        assertThat(CLASSES).isNotEmpty();
    }

    @Test
    void onlyMainEndsTheProcess() {
        noClasses().that().doNotHaveFullyQualifiedName(ROOT + ".cli.Main").should()
                .callMethod(System.class, "exit", int.class)
                .orShould().callMethod(Runtime.class, "exit", int.class).check(CLASSES);
        noClasses().that().resideOutsideOfPackage(ROOT + ".train").should()
                .callMethod(Runtime.class, "halt", int.class)
                .because("only a second signal ends a training at once").check(CLASSES);
    }

    @Test
    void loggingGoesThroughSlf4j() {
        noClasses().should().dependOnClassesThat().resideInAPackage("java.util.logging..").check(CLASSES);
    }

    @Test
    void nothingGlobalChanges() {
        // Onnx is what protoc generates.
        fields().that().areStatic().and().areDeclaredInClassesThat().haveNameNotMatching("io\\.firn\\.weights\\.Onnx(\\$.*)?")
                .should().beFinal().check(CLASSES);
    }

    /** The classes of a package and of what lies below it, save what has an entry of its own. */
    private static DescribedPredicate<JavaClass> classesOf(String name) {
        DescribedPredicate<JavaClass> those = resideInAPackage(ROOT + "." + name + "..");
        for (String other : KNOWS.keySet()) {
            if (other.startsWith(name + ".")) {
                those = those.and(DescribedPredicate.not(resideInAPackage(ROOT + "." + other + "..")));
            }
        }
        return those;
    }

    private static DescribedPredicate<JavaClass> facade() {
        return resideInAPackage(ROOT);
    }
}
