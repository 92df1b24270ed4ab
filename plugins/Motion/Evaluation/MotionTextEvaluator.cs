using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.Motion;

/// <summary>The published evaluator of HumanML3D or KIT-ML: a folder with <c>text_mot_match/model/finest.tar</c>, the statistics that it was trained with, and word vectors.</summary>
internal sealed class MotionTextEvaluator : IDisposable
{
    private const int Unit = 4;
    private static readonly string[] StatisticsFolders = ["", "Comp_v6_KLD01", "Comp_v6_KLD005", "Decomp_SP001_SM001_H512"];

    private readonly Checkpoint _checkpoint;
    private readonly Network _motions, _texts;
    private readonly MotionStatistics _statistics;
    private readonly CaptionWords _words;

    /// <summary>Opens a folder.</summary>
    /// <param name="source">The model that is evaluated, for engine and device.</param>
    /// <param name="folder">The evaluator's folder.</param>
    /// <param name="glove">Folder of the word vectors; null for <c>glove</c> in the folder or beside it.</param>
    /// <exception cref="CheckpointException">A file is missing.</exception>
    public MotionTextEvaluator(ModelSource source, string folder, string? glove)
    {
        var file = Path.Combine(folder, "text_mot_match", "model", "finest.tar");
        if (!File.Exists(file)) throw new CheckpointException(ErrorCodes.CheckpointMissing, "The evaluator is not there.") { Where = file, Remedy = "Unpack the authors' t2m.zip or kit.zip and name the folder that has text_mot_match in it." };
        _statistics = StatisticsFolders.Select(inner => MotionStatistics.Find(Path.Combine(folder, inner))).FirstOrDefault(found => found is not null)
            ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The evaluator's statistics are not there.") { Where = folder, Expected = "mean.npy, std.npy, here or in Comp_v6_KLD01/meta" };
        _words = CaptionWords.Open(glove ?? ((string[])[Path.Combine(folder, "glove"), Path.Combine(folder, "..", "glove")]).FirstOrDefault(Directory.Exists) ?? Path.Combine(folder, "glove"));
        _checkpoint = Checkpoint.Open([.. new[] { "movement_encoder", "text_encoder", "motion_encoder" }.Select(key => new Inference.CheckpointPart(file, key, key + "."))]);
        var context = NetworkContext.Of(source, _checkpoint) with { Stages = false };
        var (batch, length) = (Dim.Symbol("batch"), Dim.Symbol("length"));
        Features = (int)_checkpoint.Get("movement_encoder.main.0.weight").Shape[1] + 4;
        _motions = Network.Build(context, "motion evaluator", scope =>
        {
            var movement = TextMotionEvaluator.Movements(scope["movement_encoder"], scope.Graph.Input("motion", [batch, length * Unit, Features]));
            scope.Graph.Output("embedding", TextMotionEvaluator.Motion(scope["motion_encoder"], movement, scope.Graph.Input("lengths", ElementType.Int64, [batch])));
        });
        var tags = _checkpoint.Get("text_encoder.pos_emb.weight").Shape;
        var (width, kinds) = (tags[0], tags[1]);
        _texts = Network.Build(context, "text evaluator", scope => scope.Graph.Output("embedding", TextMotionEvaluator.Text(
            scope["text_encoder"], scope.Graph.Input("words", [batch, length, width]), scope.Graph.Input("tags", [batch, length, kinds]), scope.Graph.Input("lengths", ElementType.Int64, [batch]))));
    }

    /// <summary>Numbers of a frame.</summary>
    public int Features { get; }

    /// <summary>A motion in the common space: (E).</summary>
    /// <exception cref="MediaException">The motion is of another data set, or shorter than a snippet.</exception>
    public async Task<Tensor<float>> MotionAsync(Contracts.Motion motion, CancellationToken cancel)
    {
        var frames = new MotionFormat(Features, Unit, [], TokenLayout.Flat).Frames(motion);
        var normalized = _statistics.Normalize(frames).Reshape(1, frames.Shape[0], frames.Shape[1]);
        return (await _motions.RunAsync(cancel, ("motion", normalized), ("lengths", Tensor.Create<long>([frames.Shape[0] / Unit], 1))).ConfigureAwait(false))["embedding"].Slice(0);
    }

    /// <summary>A caption with tagged words in the common space: (E).</summary>
    public async Task<Tensor<float>> TextAsync(string tagged, CancellationToken cancel)
    {
        var caption = _words.Encode(tagged);
        return (await _texts.RunAsync(cancel, ("words", caption.Words), ("tags", caption.Tags), ("lengths", Tensor.Create<long>([caption.Length], 1))).ConfigureAwait(false))["embedding"].Slice(0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _motions.Dispose();
        _texts.Dispose();
        _checkpoint.Dispose();
    }
}
