using ModelZoo.Contracts;
using ModelZoo.Plugins.Speech;

[assembly: ModelPlugin(typeof(SpeechPlugin))]

namespace ModelZoo.Plugins.Speech;

/// <summary>Speech codecs and the networks around them.</summary>
public sealed class SpeechPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures => [BigCodecModel.Architecture, DacModel.Architecture, DualSpeechLmModel.Architecture, EncodecModel.Architecture, ExpressiveVoiceCloningModel.Architecture, HifiGanModel.Architecture, LassModel.Architecture, LmSptModel.Architecture, MellotronModel.Architecture, MimiModel.Architecture, NaturalSpeech2Model.Architecture, SaladModel.Architecture, SnacModel.Architecture, SpeechTokenizerModel.Architecture, UsTokenizerModel.Architecture, VaeGslmModel.Architecture, VaeGslmVocoderModel.Architecture, VocosModel.Architecture, Wav2Vec2Model.Hubert, Wav2Vec2Model.Wav2Vec2, WavTokenizerModel.Architecture, Wav2Vec2BertModel.Architecture, WhisperModel.Architecture, XCodecModel.Architecture];
}
