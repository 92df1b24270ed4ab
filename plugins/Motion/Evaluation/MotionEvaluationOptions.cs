using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>Options of an evaluation.</summary>
public sealed record MotionEvaluationOptions : ModelOptions
{
    /// <summary>The evaluator's folder; null to reconstruct motions.</summary>
    [Description("Folder of the published evaluator (text_mot_match/, statistics, glove/): motions are then made from the captions and compared with the real ones; left out, motions are tokenized and decoded."), DataType("path")]
    public string? Evaluator { get; init; }

    /// <summary>Folder of the word vectors.</summary>
    [Description("Folder of the evaluator's word vectors (our_vab_data.npy, our_vab_idx.pkl); glove in or beside the evaluator's when left out."), DataType("path")]
    public string? Glove { get; init; }

    /// <summary>Times that everything is done.</summary>
    [Description("Times that everything is generated, each with other captions and another order; the authors' protocol has 20."), Range(1, 100)]
    public int Repeats { get; init; } = 20;

    /// <summary>Motions among which a caption must find its own.</summary>
    [Description("Motions among which a caption must find its own; the authors' protocol has 32."), Range(2, 1024)]
    public int BatchSize { get; init; } = 32;

    /// <summary>Captions of which several motions are made.</summary>
    [Description("Captions, in each repeat, of which thirty motions are made, for multimodality; 0 for none, 96 in the authors' protocol."), Range(0, 10000)]
    public int MultimodalCaptions { get; init; }

    /// <summary>Options of generation.</summary>
    [Description("Options of generation, as [\"steps=10\",\"guidance=4\"].")]
    public string[] Generation { get; init; } = [];
}
