using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The family's papers: one row a paper, beside the tokenizer library's own rows.</summary>
internal static class PapersTable
{
    /// <summary>The rows, by name.</summary>
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Alm.Architecture,
        BoundlessBpe.Architecture,
        ByteSpans.ByteSpan.Architecture,
        CadTokenizer.Architecture,
        CharBench.Architecture,
        CodeBpe.Architecture,
        DataMixture.Architecture,
        DynamicBpe.Architecture,
        ExactBytes.Architecture,
        Matter.Architecture,
        MultiWord.Architecture,
        ProblematicTokens.Architecture,
        PublishedFiles.BinaryBpe,
        PublishedFiles.CompoundPiece,
        PublishedFiles.Kl3m,
        Qtok.Architecture,
        Music.SymbolicMusicBpe.Architecture,
        Tipa.Architecture,
        InformationTheory.Architecture,
        RichMorphology.Architecture,
        TemporalPitfalls.Architecture,
        TokenPremiums.Architecture,
        TokensWithMeaning.Architecture,
        TurkishStandards.Architecture,
        TurkishStrategies.Architecture,
        Flota.Architecture,
        Focus.Architecture,
        GreedTok.Architecture,
        InferenceBenchmark.Architecture,
        LibTokenizer.Architecture,
        Myte.Architecture,
        OmpTransplant.Architecture,
        PathPiece.Architecture,
        PickyBpe.Architecture,
        SaGe.Architecture,
        SuperBpe.Architecture,
        TFree.Architecture,
        TokenAdapt.Architecture,
        TokenizationScorer.Architecture,
        Trainers.TrainersModel.Architecture,
        Tokompiler.TokompilerTokenizer.Architecture,
        Zett.Architecture,
        Zip2Zip.Architecture,
    ];
}
