"""What tests of students do with one: fit it, and have it answer a task's validation set."""

from lightning.pytorch import seed_everything

from datamodules import StudentDataModule


def fitted(student, records, task, quiet_trainer, epochs=6, batch_size=8, **settings):
    seed_everything(5, verbose=False)
    trainer = quiet_trainer(max_epochs=epochs, limit_val_batches=0, **settings)
    trainer.fit(student, StudentDataModule(task, batch_size=batch_size).with_records(records))
    return trainer


def replies(student, task, quiet_trainer, tokens=16_384):
    data = StudentDataModule(task, eval_tokens_per_batch=tokens).with_instances({"val": task.instances("val")})
    batches = quiet_trainer().predict(student, data)
    return {row: text for batch in batches for row, text in zip(batch.index, batch.texts, strict=True)}
